import { readFile } from 'node:fs/promises'
import { derOf, pemOf } from '@holdfast/pop/certificates'
import { Failure } from './exit.ts'

/** Reads a text file that the command line named. */
export async function readTextFile(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : String(code)
    throw new Failure(66, `${file} cannot be read: ${why}.`, cause)
  })
}

/** The first certificate of a PEM file, or of a DER one; what stands around it is not looked at. */
export async function readCertificateFile(file: string): Promise<{ readonly pem: string; readonly der: Buffer }> {
  const bytes = await readFile(file).catch(() => readTextFile(file))
  return certificateIn(typeof bytes === 'string' ? bytes : bytes[0] === 0x30 ? bytes : bytes.toString('utf8'), file)
}

/** The first certificate of a text or of DER. */
export function certificateIn(text: string | Buffer, where: string): { readonly pem: string; readonly der: Buffer } {
  const block = typeof text === 'string' ? firstBlock(text) : text
  if (block === undefined)
    throw new Failure(66, `${where} holds no certificate: there is no "-----BEGIN CERTIFICATE-----" in it.`)
  try {
    const der = derOf(block)
    return { der, pem: pemOf(der) }
  } catch (cause) {
    throw new Failure(66, `${where} holds no certificate that can be read: it is damaged, or not strict DER.`, cause)
  }
}

function firstBlock(text: string): string | undefined {
  return /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(text)?.[0].concat('\n')
}
