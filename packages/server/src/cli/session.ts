import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isProofAlgorithm, type ProofAlgorithm, parseJsonObject } from '@holdfast/pop'
import { writePrivately } from '../development/pair.ts'
import { Failure } from './exit.ts'

/** What `holdfast token` leaves for `holdfast call`: a token, and what it is bound to. */
export interface Session {
  readonly issuer: string
  readonly client: string
  readonly token: string
  /** Files in PEM. Absent for a token that is bound to none. */
  readonly certificate?: string
  readonly key?: string
  /** The file of the private DPoP key, JWK or PEM. Absent for a token that is bound to none. */
  readonly dpopKey?: string
  /** The algorithm of proofs, where the file does not say it. */
  readonly alg?: ProofAlgorithm
}

/** Where the session lies, in the working directory. Only its owner can read it. */
export const sessionDirectory: string = join('.holdfast', 'session')

/** Keeps a certificate that was made on the fly. @returns the files */
export async function keepCertificate(pair: {
  readonly certificate: string
  readonly key: string
}): Promise<{ readonly certificate: string; readonly key: string }> {
  await writePrivately(ownFiles.key, pair.key)
  await writePrivately(ownFiles.certificate, pair.certificate)
  const { certificate, key } = ownFiles
  return { certificate, key }
}

/** Keeps a DPoP key that was made on the fly. @returns its file */
export async function keepProofKey(text: string): Promise<string> {
  await writePrivately(ownFiles.dpopKey, text)
  return ownFiles.dpopKey
}

const ownFiles = {
  certificate: join(sessionDirectory, 'certificate.pem'),
  key: join(sessionDirectory, 'key.pem'),
  dpopKey: join(sessionDirectory, 'dpop-key.jwk'),
}

/** Keeps a session: the token in a file of its own, for other programs, and what belongs to it beside. Keys of earlier ones go. */
export async function keepSession({ token, ...rest }: Session): Promise<void> {
  await writePrivately(join('.holdfast', '.gitignore'), '*\n')
  await writePrivately(join(sessionDirectory, 'token'), token)
  await writePrivately(join(sessionDirectory, 'session.json'), `${JSON.stringify(rest, null, 2)}\n`)
  const left = Object.entries(ownFiles).filter(([name, file]) => rest[name as keyof typeof ownFiles] !== file)
  for (const file of [refreshTokenFile, ...left.map(([, file]) => file)]) await rm(file, { force: true })
}

const refreshTokenFile = join(sessionDirectory, 'refresh-token')

/** Keeps the refresh token of the session, after {@link keepSession}: a session that begins has none. */
export async function keepRefreshToken(refresh_token: string | undefined): Promise<void> {
  if (refresh_token !== undefined) await writePrivately(refreshTokenFile, refresh_token)
}

/** The refresh token of the session, when it has one. */
export async function findRefreshToken(): Promise<string | undefined> {
  return (await read('refresh-token'))?.trim()
}

/** Removes the session of this folder, and the key with it. */
export async function removeSession(): Promise<void> {
  await rm(sessionDirectory, { recursive: true, force: true })
}

/** The session of this folder, when there is one. */
export async function findSession(): Promise<Session | undefined> {
  const [token, text] = await Promise.all([read('token'), read('session.json')])
  const { issuer, client, certificate, key, dpopKey, alg } = (text && parseJsonObject(text)) || {}
  if (!token || typeof issuer !== 'string' || typeof client !== 'string') return undefined
  const pair = typeof certificate === 'string' && typeof key === 'string' ? { certificate, key } : {}
  const proofs = typeof dpopKey === 'string' ? { dpopKey, ...(isProofAlgorithm(alg) && { alg }) } : {}
  return { issuer, client, token: token.trim(), ...pair, ...proofs }
}

/** The session of this folder. */
export async function requireSession(): Promise<Session> {
  const session = await findSession()
  if (!session)
    throw new Failure(
      66,
      `There is no session in ${sessionDirectory}. Begin one first: holdfast token --help, holdfast login --help`,
    )
  return session
}

async function read(name: string): Promise<string | undefined> {
  return await readFile(join(sessionDirectory, name), 'utf8').catch(() => undefined)
}
