import { encodeBase64url } from '../foundation/base64url.ts'
import { type Clock, isMoment, type Seconds } from '../foundation/clock.ts'
import { equalInConstantTime } from '../foundation/constant-time.ts'
import { isJsonObject, type JsonObject } from '../foundation/json.ts'
import {
  isKeyFor,
  isPrivateJwk,
  isSignatureAlgorithm,
  type PublicJwk,
  parsePublicJwk,
  type SignatureAlgorithm,
} from '../foundation/jwk.ts'
import { jwkThumbprint } from '../foundation/jwk-thumbprint.ts'
import { algorithmOf, isSignedBy, parseJwt, type UnverifiedJwt } from '../foundation/jws.ts'
import type { Awaitable, Primitives } from '../foundation/primitives.ts'
import { normalTargetUri } from '../foundation/target-uri.ts'
import { Refused } from '../oauth/refusal.ts'
import { type DpopContext, type KnownKey, longestKeptHeader } from './dpop-context.ts'
import { nonceLifetime } from './dpop-nonce.ts'
import { type DpopPossession, vouch } from './possession.ts'
import type { ProofUse } from './replay.ts'

/** How long after its making a proof passes, when no nonce says when that was. */
export const proofLifetime: Seconds = 60

/** How far a client's clock may run ahead. */
export const proofAhead: Seconds = 10

/** The longest `jti`, in characters. */
const longestId = 256

/** A key that signs proofs. Only its public half can be read. */
export interface ProofKey {
  readonly alg: ProofAlgorithm
  readonly jwk: PublicJwk
  readonly sign: (data: Uint8Array<ArrayBuffer>) => Awaitable<Uint8Array>
}

/** The request that a proof is made for. */
export interface ProvenRequest {
  readonly method: string
  /** Query and fragment are left out of the proof. */
  readonly url: string
  /** The access token that goes with it. */
  readonly accessToken?: string | undefined
  /** The newest nonce of the server that it goes to. RFC 9449 §8, §9. */
  readonly nonce?: string | undefined
}

/**
 * Makes a proof: for one request, to be used once, good for a minute. RFC 9449 §4.2.
 * @throws TypeError when the address is no http or https one
 */
export async function createDpopProof(
  { alg, jwk, sign }: ProofKey,
  { method, url, accessToken, nonce }: ProvenRequest,
  { now, random, sha256 }: { readonly now: Clock } & Pick<Primitives, 'random' | 'sha256'>,
): Promise<string> {
  const htu = normalTargetUri(url)
  if (htu === undefined) throw new TypeError('A DPoP proof is made for an http or https address without user.')
  const ath = accessToken === undefined ? undefined : await tokenHash(accessToken, { sha256 })
  const claims = { jti: encodeBase64url(random(16)), htm: method, htu, iat: now(), ath, nonce }
  const signed = `${encodeJson({ typ: 'dpop+jwt', alg, jwk })}.${encodeJson(claims)}`
  return `${signed}.${encodeBase64url(await sign(utf8.encode(signed)))}`
}

/** The algorithms that proofs can have. RS256 is none of them: new keys need no old padding. RFC 9449 §4.3 (5), §11.6. */
export const proofAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
] as const satisfies readonly SignatureAlgorithm[]

/** One of {@link proofAlgorithms}. */
export type ProofAlgorithm = (typeof proofAlgorithms)[number]

/** Says whether a value names an algorithm that proofs can have. */
export function isProofAlgorithm(value: unknown): value is ProofAlgorithm {
  return proofAlgorithms.some((each) => each === value)
}

/** Those that are taken where nothing else is said: the others cost a server ten times more, or a header 11 kB. */
export const usualProofAlgorithms = [
  'ES256',
  'EdDSA',
  'Ed25519',
  'PS256',
  'ML-DSA-44',
  'ML-DSA-65',
] as const satisfies readonly ProofAlgorithm[]

/** What a server demands of proofs. */
export interface DpopPolicy {
  /** The algorithms that are taken. */
  readonly algorithms: readonly ProofAlgorithm[]
  /** `on-skew`: only from those whose clock is off, who can show in no other way that a proof is fresh. RFC 9449 §8, §9. */
  readonly nonces: 'off' | 'required' | 'on-skew'
}

/** A proof that was judged. It counts once it was used: nobody may act on it before its `use` was recorded. */
export interface VerifiedProof {
  readonly possession: DpopPossession
  readonly use: ProofUse
  /** What the answer hands out for the next request. */
  readonly nextNonce?: string
}

/**
 * Judges the proof of a request: the checks of RFC 9449 §4.3 by their numbers. Uses nothing up: the caller records the
 * `use`, after all else was judged.
 *
 * Does not compare the key with that of an access token: `requireConfirmed` does.
 *
 * @param proofs every `DPoP` header of the request
 * @param request the `url` is that of the server's configuration, and `accessToken` there at an API only
 * @throws {@link Refused} `dpop_repeated`, `dpop_malformed`, `dpop_claims_malformed`, `dpop_type`, `dpop_algorithm`,
 * `dpop_key`, `dpop_key_private`, `dpop_signature`, `dpop_method_differs`, `dpop_url_differs`, `dpop_nonce_missing`,
 * `dpop_nonce_unknown`, `dpop_stale`, `dpop_early`, `dpop_skewed`, `dpop_token_differs`
 */
export async function verifyDpopProof(
  proofs: readonly string[],
  request: Omit<ProvenRequest, 'nonce'>,
  { algorithms, nonces }: DpopPolicy,
  context: DpopContext,
): Promise<VerifiedProof> {
  const proof = parseProof(proofs, context) // (1) (2) (3)
  const { jwt, claims } = proof
  if (jwt.header.typ !== 'dpop+jwt')
    throw new Refused('dpop_type', { expected: 'dpop+jwt', seen: name(jwt.header.typ) }) // (4)
  const algorithm = algorithmOf(jwt)
  if (!algorithm || !algorithms.some((each) => each === algorithm))
    throw new Refused('dpop_algorithm', { expected: algorithms.join(' '), seen: algorithmSeen(jwt) }) // (5)
  const { thumbprint } = await verifyKey(proof, algorithm, context) // (6) (7)
  if (claims.htm !== request.method)
    throw new Refused('dpop_method_differs', { expected: request.method, seen: name(claims.htm) }) // (8)
  const url = requireUrl(claims.htu, request.url) // (9)
  const { made, until, nextNonce } = await requireFresh(claims, nonces, context) // (10) (11)
  if (request.accessToken !== undefined) await requireToken(claims.ath, request.accessToken, context.primitives) // (12)

  const identity = JSON.stringify([thumbprint, claims.htm, url, claims.jti])
  return {
    possession: vouch<DpopPossession>({ member: 'jkt', thumbprint }),
    use: { key: encodeBase64url(await context.primitives.sha256(utf8.encode(identity))), made, expires: until },
    ...(nextNonce !== undefined && { nextNonce }),
  }
}

/** The `ath` claim: the hash of an access token. RFC 9449 §4.2. */
export async function tokenHash(accessToken: string, { sha256 }: Pick<Primitives, 'sha256'>): Promise<string> {
  return encodeBase64url(await sha256(utf8.encode(accessToken)))
}

interface ProofClaims {
  readonly jti: string
  readonly htm: string
  readonly htu: string
  readonly iat: number
  readonly exp?: number
  readonly nbf?: number
  readonly nonce?: unknown
  readonly ath?: unknown
}

interface ParsedProof {
  readonly jwt: UnverifiedJwt
  readonly claims: ProofClaims
  /** The header as it was written, and in it the key. */
  readonly header: string
  readonly jwk: JsonObject
  /** The key, where it came in the same header before. */
  readonly known: KnownKey | undefined
}

function parseProof(proofs: readonly string[], { keys }: Pick<DpopContext, 'keys'>): ParsedProof {
  const [proof = '', second] = proofs
  if (second !== undefined || proof.includes(',')) throw new Refused('dpop_repeated') // (1)
  const header = proof.slice(0, Math.max(proof.indexOf('.'), 0))
  const known = keys.find(header)
  const jwt = parseJwt(proof, known?.header)
  if (!jwt) throw new Refused('dpop_malformed') // (2)
  const { jwk } = jwt.header
  const wrong = findWrongClaim(jwt.claims)
  if (wrong !== undefined || !isJsonObject(jwk))
    throw new Refused('dpop_claims_malformed', { expected: wrong ?? 'jwk' }) // (3)
  const claims: JsonObject & Partial<ProofClaims> = jwt.claims
  return { jwt, claims: claims as ProofClaims, header, jwk, known }
}

/** The first claim that is missing or of another type than RFC 9449 §4.2 and RFC 7519 §4.1 say. */
function findWrongClaim({ jti, htm, htu, iat, exp = 0, nbf = 0 }: JsonObject): string | undefined {
  if (typeof jti !== 'string' || jti === '' || jti.length > longestId) return 'jti'
  if (typeof htm !== 'string') return 'htm'
  if (typeof htu !== 'string') return 'htu'
  const moments = { iat, exp, nbf }
  return Object.entries(moments).find(([, value]) => !isMoment(value))?.[0]
}

/** The key in the header is the right kind, whole, public, and made the signature. */
async function verifyKey(
  { jwt, header, jwk: written, known }: ParsedProof,
  algorithm: SignatureAlgorithm,
  { keys, primitives }: DpopContext,
): Promise<KnownKey> {
  const jwk = known?.jwk ?? requireKey(written, algorithm) // (7)
  if (!(await isSignedBy(jwt, jwk, primitives))) throw new Refused('dpop_signature') // (6)
  if (known) return known
  const shown = { header: jwt.header, jwk, thumbprint: await jwkThumbprint(jwk, primitives) }
  if (header.length <= longestKeptHeader) keys.put(copyOf(header), shown)
  return shown
}

function requireKey(written: JsonObject, algorithm: SignatureAlgorithm): PublicJwk {
  if (isPrivateJwk(written)) throw new Refused('dpop_key_private')
  const jwk = parsePublicJwk(written)
  const isMeant = !Object.hasOwn(written, 'alg') || written.alg === algorithm
  if (!jwk || !isKeyFor(algorithm, jwk) || !isMeant) throw new Refused('dpop_key')
  return jwk
}

/** A part of a text keeps the whole of it in memory; this does not. */
function copyOf(part: string): string {
  return fromUtf8.decode(utf8.encode(part))
}

/** @returns the address in its normal form, which stands for the request from here on */
function requireUrl(htu: string, url: string): string {
  const expected = normalTargetUri(url)
  const seen = htu === url ? expected : normalTargetUri(htu)
  if (expected !== undefined && seen === expected) return expected
  throw new Refused('dpop_url_differs', {
    expected: expected ?? 'an address',
    seen: seen?.slice(0, 200) ?? 'no address',
  })
}

/**
 * Where a nonce counts, it says when the proof was made, and `iat` nothing. RFC 9449 §4.3 (11), §11.1.
 * @returns when the proof was made, and until when it would pass, also with the other way of telling its age, which
 * another guard or node may have: so long its use is remembered
 */
async function requireFresh(
  { iat, exp, nbf, nonce }: ProofClaims,
  policy: DpopPolicy['nonces'],
  { now, nonces }: DpopContext,
): Promise<{ readonly made: Seconds; readonly until: Seconds; readonly nextNonce?: string }> {
  const at = now()
  if (exp !== undefined && at >= exp) throw new Refused('dpop_stale', { expected: `before ${exp}`, seen: String(at) })
  if (nbf !== undefined && at < nbf - proofAhead)
    throw new Refused('dpop_early', { expected: `from ${nbf}`, seen: String(at) })
  const usesNonce = policy === 'required' || (policy === 'on-skew' && nonce !== undefined)
  if (usesNonce) {
    if (nonce === undefined) throw new Refused('dpop_nonce_missing', { nonce: await nonces.issue(at) }) // (10)
    const made = typeof nonce === 'string' ? await nonces.find(nonce, at) : undefined
    if (made === undefined) throw new Refused('dpop_nonce_unknown', { nonce: await nonces.issue(at) }) // (10)
    const until = Math.max(made + nonceLifetime, Math.min(Math.ceil(iat), at + proofAhead) + proofLifetime)
    return { made, until, nextNonce: await nonces.issue(at) }
  }
  const isStale = at - iat > proofLifetime
  if (isStale || iat - at > proofAhead) {
    // (11)
    const seen = { expected: `${at - proofLifetime} to ${at + proofAhead}`, seen: String(iat) }
    if (policy === 'on-skew') throw new Refused('dpop_skewed', { ...seen, nonce: await nonces.issue(at) })
    throw new Refused(isStale ? 'dpop_stale' : 'dpop_early', seen)
  }
  const until = Math.ceil(iat) + proofLifetime
  return { made: iat, until: nonce === undefined ? until : Math.max(until, at + nonceLifetime) }
}

async function requireToken(ath: unknown, accessToken: string, primitives: Pick<Primitives, 'sha256'>): Promise<void> {
  const expected = await tokenHash(accessToken, primitives)
  if (typeof ath !== 'string' || !equalInConstantTime(expected, ath)) throw new Refused('dpop_token_differs')
}

const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder()

function encodeJson(value: object): string {
  return encodeBase64url(utf8.encode(JSON.stringify(value)))
}

function algorithmSeen(jwt: UnverifiedJwt): string {
  const { alg } = jwt.header
  return isSignatureAlgorithm(alg) && !algorithmOf(jwt) ? `${alg} with crit, b64 or zip` : name(alg)
}

/** A short name for a value that is not what it should be. */
function name(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 40) : typeof value
}
