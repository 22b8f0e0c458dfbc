import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto'
import { type PublicJwk, parsePublicJwk, type Seconds, thumbprintInput } from '@holdfast/pop'
import { generateKeyFor } from '@holdfast/pop/certificates'
import type { SigningAlgorithm, SigningKey } from '../../model/signing-key.ts'
import type { Store } from '../../ports/store.ts'
import { SettingsError } from '../../settings.ts'
import type { AdministrationContext } from '../administration-context.ts'
import type { Label, Sealing } from './sealing.ts'

/** No encryption key is the one under which a signing key was sealed. */
export class SealedKeyError extends SettingsError {
  constructor(kid: string, cause?: unknown) {
    super(
      `keys.encryptionKey: does not open the signing key ${kid} of this database. Write the file of the key under which it is sealed, here or in keys.otherEncryptionKeys; without it the signing keys are lost.`,
      { cause },
    )
  }
}

/** What the private half of a signing key is sealed as. */
export function signingKeyLabel(kid: string): Label {
  return { kind: 'signing key', id: kid }
}

/** Makes a signing key that is next: its public half ready to publish, its private half sealed. RSA takes a while. */
export async function createSigningKey(
  algorithm: SigningAlgorithm,
  sealing: Sealing,
  now: Seconds,
): Promise<SigningKey & { readonly stage: 'next' }> {
  const privateKey = await generateKeyFor(algorithm)
  const jwk = publicHalfOf(privateKey)
  if (!jwk) throw new Error(`The platform made a key for ${algorithm} that nobody would accept.`)
  const kid = kidOf(jwk)
  return {
    kid,
    algorithm,
    publicJwk: JSON.stringify({ ...jwk, alg: algorithm, use: 'sig', kid }),
    sealed: sealing.seal(signingKeyLabel(kid), privateKey.export({ format: 'der', type: 'pkcs8' })),
    created: now,
    stage: 'next',
  }
}

/** Opens the private half of a signing key. @throws {@link SealedKeyError} */
export function openSealedKey({ kid, sealed }: Pick<SigningKey, 'kid' | 'sealed'>, sealing: Sealing): KeyObject {
  const opened = sealing.open(signingKeyLabel(kid), sealed)
  if (!opened) throw new SealedKeyError(kid)
  return createPrivateKey({ key: Buffer.from(opened.bytes), format: 'der', type: 'pkcs8' })
}

/** The public half of what is sealed, where it is what its kid says. @throws {@link SealedKeyError} */
export function openPublicHalf(key: Pick<SigningKey, 'kid' | 'sealed'>, sealing: Sealing): PublicJwk {
  const jwk = publicHalfOf(openSealedKey(key, sealing))
  if (!jwk || kidOf(jwk) !== key.kid) throw new SealedKeyError(key.kid)
  return jwk
}

function publicHalfOf(privateKey: KeyObject): PublicJwk | undefined {
  return parsePublicJwk(createPublicKey(privateKey).export({ format: 'jwk' }))
}

function kidOf(jwk: PublicJwk): string {
  return hash('sha256', thumbprintInput(jwk), 'base64url')
}

/**
 * Each algorithm has an active key and a next one: those that are missing are made. Safe to run in several processes.
 * @throws {@link SealedKeyError} when no encryption key opens those that are there
 */
export async function ensureSigningKeys(
  store: Store,
  algorithms: readonly SigningAlgorithm[],
  sealing: Sealing,
  now: Seconds,
): Promise<void> {
  const keys = await store.listSigningKeys()
  requireOpens(keys, sealing)
  const candidates: SigningKey[] = []
  for (const algorithm of new Set(algorithms)) {
    const stages = new Set(keys.filter((key) => key.algorithm === algorithm).map(({ stage }) => stage))
    if (!stages.has('active')) {
      const key = await createSigningKey(algorithm, sealing, now)
      candidates.push({ ...key, stage: 'active', since: now })
    }
    if (!stages.has('next')) candidates.push(await createSigningKey(algorithm, sealing, now))
  }
  if (candidates.length > 0) await store.ensureSigningKeys(candidates)
}

/** Whose turn it is at a rotation. */
export interface Rotation {
  readonly algorithm: SigningAlgorithm
  /** How long the retired key stays published: the longest lifetime of a token, and what clocks may differ by. */
  readonly lifetime: Seconds
  /** Only where the active key has been so since this moment, or longer. */
  readonly since?: Seconds
  /** Who asks for it. */
  readonly actor: 'operator' | 'server'
}

/** What changing signing keys needs. */
export type KeyContext = Pick<AdministrationContext, 'store' | 'sealing' | 'audit' | 'now'>

/**
 * The next key signs from now on, the active one only verifies. Signers notice at their next `reload()`.
 * @returns false when the algorithm has no next key, or another node has just rotated it
 * @throws {@link SealedKeyError}
 */
export async function rotateSigningKey(
  { algorithm, lifetime, since, actor }: Rotation,
  { store, sealing, audit, now }: KeyContext,
): Promise<boolean> {
  requireOpens(await store.listSigningKeys(), sealing)
  const moment = now()
  const fresh = await createSigningKey(algorithm, sealing, moment)
  return await store.audited({
    verb: 'rotateSigningKey',
    data: { algorithm, now: moment, expires: moment + lifetime, fresh, ...(since !== undefined && { since }) },
    audit: audit({ event: 'key_rotated', actor, details: { algorithm, next: fresh.kid } }),
  })
}

/**
 * Takes a key away that somebody else may have. Signers notice at their next `reload()`.
 * @returns false when there is no such key
 * @throws {@link SealedKeyError}
 */
export async function revokeSigningKey(
  { kid, actor }: { readonly kid: string; readonly actor: Rotation['actor'] },
  { store, sealing, audit, now }: KeyContext,
): Promise<boolean> {
  const keys = await store.listSigningKeys()
  requireOpens(keys, sealing)
  const key = keys.find((each) => each.kid === kid)
  if (!key) return false
  const { algorithm, stage } = key
  return await store.audited({
    verb: 'revokeSigningKey',
    data: { kid, now: now(), fresh: await createSigningKey(algorithm, sealing, now()) },
    audit: audit({ event: 'key_revoked', actor, details: { kid, algorithm, stage } }),
  })
}

/** Keys that sign, or will, must open before another is made: one that nobody can open would take their place unnoticed. */
function requireOpens(keys: readonly SigningKey[], sealing: Sealing): void {
  for (const key of keys) if (key.stage !== 'retired') openSealedKey(key, sealing)
}
