import { readFile } from 'node:fs/promises'
import { type Confirmation, parseJwt } from '@holdfast/pop'
import { thumbprintOf } from '@holdfast/pop/certificates'
import { Failure } from './exit.ts'
import { boundTo } from './findings.ts'
import { certificateIn, readTextFile } from './input-file.ts'
import { type FiledProofKey, readProofKey } from './proof-key.ts'
import { findSession, requireSession, type Session } from './session.ts'
import type { Terminal } from './terminal.ts'
import { tokenIn } from './token-input.ts'

/** A token, and what is known of the keys that it is bound to. */
export interface Presentation {
  readonly token: string
  /** What the token says it is bound to; a reference token says nothing. */
  readonly confirmation: Confirmation
  /** PEM. */
  readonly certificate?: string
  readonly key?: string
  readonly proofKey?: FiledProofKey
}

/** How the command line names the keys that go with a token. */
export interface PresentationOptions {
  readonly cert?: string
  readonly key?: string
  readonly dpop?: true
  readonly dpopKey?: string
}

/**
 * The token that the command line means: itself, `-` for standard input, `@file`, or the session's when nothing was
 * said. The session's keys go with it when the token is bound to one of them, or is the session's own.
 */
export async function presentationOf(
  given: string | undefined,
  options: PresentationOptions,
  terminal: Pick<Terminal, 'input'>,
): Promise<Presentation> {
  const token = given === undefined ? (await requireSession()).token : await tokenIn(given, terminal)
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(token))
    throw new Failure(2, 'This is no access token: it has characters that no token has.')
  const confirmation = boundTo(parseJwt(token)?.claims)
  const kept = await keptKeys(token, confirmation)
  requireAgreement(options, confirmation, kept)
  const files = options.cert === undefined ? kept : { certificate: options.cert, key: options.key }
  const proofKey = await proofKeyOf(options, kept)
  return { token, confirmation, ...(await pairIn(files)), ...(proofKey && { proofKey }) }
}

type Kept = Pick<Session, 'certificate' | 'key' | 'dpopKey' | 'alg'>

/** What the session of this folder holds for this token. */
async function keptKeys(token: string, { 'x5t#S256': certificate, jkt }: Confirmation): Promise<Kept> {
  const session = await findSession()
  if (!session || session.token === token) return session ?? {}
  if (jkt !== undefined && session.dpopKey !== undefined) {
    const found = await readProofKey(session.dpopKey, session.alg).catch(() => undefined)
    if (found?.thumbprint === jkt) return session
  }
  if (certificate === undefined || session.certificate === undefined) return {}
  const pem = await readFile(session.certificate, 'utf8').catch(() => undefined)
  const isBound = pem !== undefined && certificate === thumbprintOf(certificateIn(pem, session.certificate).der)
  return isBound ? session : {}
}

/** What the command line asks for and the token contradicts, before anything is sent. */
function requireAgreement({ cert, dpop, dpopKey }: PresentationOptions, said: Confirmation, kept: Kept): void {
  const isCertificates = said['x5t#S256'] !== undefined || (said.jkt === undefined && kept.certificate !== undefined)
  const isDpops = said.jkt !== undefined || kept.dpopKey !== undefined
  const wantsDpop = dpop !== undefined || dpopKey !== undefined
  if (wantsDpop && isCertificates && !isDpops)
    throw new Failure(
      2,
      'This token is bound to a certificate, which goes with it anyway: leave --dpop out. For a DPoP-bound one: holdfast token --dpop',
    )
  if (cert !== undefined && isDpops && !wantsDpop)
    throw new Failure(
      2,
      'This token is bound to a DPoP key, and a certificate does not prove that one: leave --cert and --key out, or add --dpop to show both.',
    )
  if (dpop && dpopKey === undefined && kept.dpopKey === undefined)
    throw new Failure(
      2,
      'There is no DPoP key here: name its file with --dpop-key, or begin with holdfast token --dpop',
    )
}

async function proofKeyOf({ dpopKey }: PresentationOptions, kept: Kept): Promise<FiledProofKey | undefined> {
  if (dpopKey !== undefined) return await readProofKey(dpopKey)
  return kept.dpopKey === undefined ? undefined : await readProofKey(kept.dpopKey, kept.alg)
}

async function pairIn({
  certificate: file,
  key,
}: {
  readonly certificate?: string | undefined
  readonly key?: string | undefined
}) {
  if (file === undefined) return {}
  const certificate = await readTextFile(file)
  certificateIn(certificate, file)
  return { certificate, ...(key === undefined ? {} : { key: await readTextFile(key) }) }
}
