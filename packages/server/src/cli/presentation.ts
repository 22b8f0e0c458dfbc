import { readFile } from 'node:fs/promises'
import { parseJwt } from '@holdfast/pop'
import { thumbprintOf } from '@holdfast/pop/certificates'
import { Failure } from './exit.ts'
import { certificateIn, readTextFile } from './input-file.ts'
import { findSession, requireSession } from './session.ts'
import type { Terminal } from './terminal.ts'

/** A token, and what is known of the certificate that it is bound to. */
export interface Presentation {
  readonly token: string
  /** PEM. */
  readonly certificate?: string
  readonly key?: string
}

/** How the command line names a token and a certificate. */
export interface PresentationOptions {
  readonly cert?: string
  readonly key?: string
}

/**
 * The token that the command line means: itself, `-` for standard input, `@file`, or the session's when nothing was
 * said. The session's certificate goes with it when the token is bound to that one, or is the session's own.
 */
export async function presentationOf(
  given: string | undefined,
  { cert, key }: PresentationOptions,
  terminal: Pick<Terminal, 'input'>,
): Promise<Presentation> {
  const token = given === undefined ? (await requireSession()).token : await tokenIn(given, terminal)
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token))
    throw new Failure(2, 'This is no access token: it has characters that no token has.')
  const files = cert === undefined ? await sessionFiles(token) : { certificate: cert, key }
  if (files?.certificate === undefined) return { token }
  const certificate = await readTextFile(files.certificate)
  certificateIn(certificate, files.certificate)
  return { token, certificate, ...(files.key === undefined ? {} : { key: await readTextFile(files.key) }) }
}

async function tokenIn(given: string, { input }: Pick<Terminal, 'input'>): Promise<string> {
  if (given === '-') return (await input()).trim()
  return given.startsWith('@') ? (await readTextFile(given.slice(1))).trim() : given
}

async function sessionFiles(token: string) {
  const session = await findSession()
  if (session?.certificate === undefined || session.key === undefined) return undefined
  const { certificate, key } = session
  if (session.token === token) return { certificate, key }
  const cnf = parseJwt(token)?.claims.cnf
  const bound = typeof cnf === 'object' && cnf !== null && 'x5t#S256' in cnf ? cnf['x5t#S256'] : undefined
  const pem = await readFile(certificate, 'utf8').catch(() => undefined)
  return pem !== undefined && bound === thumbprintOf(certificateIn(pem, certificate).der)
    ? { certificate, key }
    : undefined
}
