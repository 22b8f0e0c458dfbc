import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Seconds } from '@holdfast/pop'
import type { CertificatePair } from '@holdfast/pop/certificates'

/** A certificate and its key in two files, `place.pem` and `place.key`. */
export interface KeptPair {
  readonly certificate: string
  readonly key: string
}

/** What a pair that is kept must still be. */
export interface Upkeep {
  readonly now: Seconds
  /** Who must have signed it; itself when absent. */
  readonly issuer?: KeptPair
  make(): Promise<CertificatePair>
}

/** A certificate that ends sooner than this is made anew. */
const soon: Seconds = 3 * 86_400

/** Reads a pair, or makes it when it is not there, is about to end, or was signed by another authority. */
export async function keepPair(place: string, { now, issuer, make }: Upkeep): Promise<KeptPair> {
  const kept = await readPair(place)
  if (kept && isGood(kept, now, issuer)) return kept
  const { certificate, key } = await make()
  await writePrivately(`${place}.key`, key)
  await writePrivately(`${place}.pem`, certificate, 0o644)
  return { certificate, key }
}

/** Writes a file so that it is there whole or not at all, readable for its owner only unless said otherwise. */
export async function writePrivately(file: string, text: string, mode = 0o600): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await rm(`${file}.new`, { force: true })
  await writeFile(`${file}.new`, text, { mode, flag: 'wx' })
  await rename(`${file}.new`, file)
}

/** Reads a file that may not be there. */
export async function readIfThere(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw cause
  })
}

async function readPair(place: string): Promise<KeptPair | undefined> {
  const [certificate, key] = await Promise.all([readIfThere(`${place}.pem`), readIfThere(`${place}.key`)])
  return certificate === undefined || key === undefined ? undefined : { certificate, key }
}

function isGood({ certificate, key }: KeptPair, now: Seconds, issuer: KeptPair | undefined): boolean {
  try {
    const x509 = new X509Certificate(certificate)
    const by = issuer ? new X509Certificate(issuer.certificate) : x509
    return (
      x509.checkPrivateKey(createPrivateKey(key)) &&
      x509.validToDate.getTime() / 1000 > now + soon &&
      x509.verify(by.publicKey)
    )
  } catch {
    return false
  }
}
