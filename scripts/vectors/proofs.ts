import { constants, createPrivateKey, hash, type KeyObject, sign } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  createDpopNonces,
  isJsonObject,
  type JsonObject,
  parsePublicJwk,
  type Reason,
  refusals,
  thumbprintInput,
} from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { root, textOf } from '../files.ts'

/** A request with a proof, and what a server makes of it. `vectors/README.md` says what the members mean. */
export interface Vector {
  readonly id: string
  readonly title: string
  readonly rule: string
  readonly request: {
    readonly method: string
    readonly url: string
    readonly headers: Readonly<Record<string, readonly string[]>>
  }
  readonly policy: { readonly algorithms: readonly string[]; readonly nonces: 'off' | 'required' | 'on-skew' }
  readonly clock: number
  /** The vector whose request came just before. */
  readonly after?: string
  readonly outcome: 'accepted' | Reason
  /** Of the key, where the proof is accepted. */
  readonly thumbprint?: string
}

/** What is particular about one vector: the rest is the valid proof of a token request. */
export interface Particulars {
  /** A name of `vectors/keys.json`. */
  readonly key?: string
  /** How it signs, where the header says something else. */
  readonly signs?: string
  /** Members that are `undefined` are left out. */
  readonly header?: JsonObject
  readonly claims?: JsonObject
  /** The bytes of header or claims, where they are no plain JSON. */
  readonly headerText?: (json: string) => string | Uint8Array
  readonly claimsText?: (json: string) => string | Uint8Array
  readonly signature?: (signature: Buffer) => Uint8Array
  /** What becomes of the proof. */
  readonly proofs?: (proof: string) => readonly string[]
  readonly method?: string
  readonly url?: string
  /** The token in the Authorization header: an API, not the token endpoint. */
  readonly accessToken?: string
  readonly algorithms?: readonly string[]
  readonly nonces?: Vector['policy']['nonces']
  readonly clock?: number
  readonly after?: string
  readonly rule?: string
}

/** The moment of all vectors that do not say another. */
export const clock = 1_800_000_000
export const tokenEndpoint = 'https://as.test/token'
export const resource = 'https://api.test/orders'

export const defaultAlgorithms = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65']
export const allAlgorithms = [...defaultAlgorithms, 'ES384', 'ES512', 'ML-DSA-87']

/** The nonces of the server of the vectors. */
export const nonceKey = hash('sha256', 'the nonces of the vectors', 'buffer')
export const nonces = createDpopNonces(nonceKey, nodePrimitives)

const keys = JSON.parse(textOf('vectors/keys.json')) as Readonly<Record<string, JsonObject>>

/** Makes a vector: the valid proof with what is particular about it. The id is its `jti`. */
export function createVector(
  outcome: Vector['outcome'],
  id: string,
  title: string,
  particulars: Particulars = {},
): Vector {
  const { accessToken, after, key = 'ES256' } = particulars
  const { method = accessToken === undefined ? 'POST' : 'GET' } = particulars
  const { url = accessToken === undefined ? tokenEndpoint : resource } = particulars
  const proof = createProof(id, { ...particulars, method, url })
  const accepted = outcome === 'accepted' ? parsePublicJwk(publicJwk(key)) : undefined
  return settled({
    id,
    title,
    rule: particulars.rule ?? (outcome === 'accepted' ? 'RFC9449-4.3' : refusals[outcome].rule),
    request: {
      method,
      url,
      headers: {
        ...(accessToken !== undefined && { authorization: [`DPoP ${accessToken}`] }),
        dpop: particulars.proofs?.(proof) ?? [proof],
      },
    },
    policy: { algorithms: particulars.algorithms ?? defaultAlgorithms, nonces: particulars.nonces ?? 'off' },
    clock: particulars.clock ?? clock,
    ...(after !== undefined && { after }),
    outcome,
    ...(accepted && { thumbprint: hash('sha256', thumbprintInput(accepted), 'base64url') }),
  })
}

/** The public members of a key of `vectors/keys.json`. */
export function publicJwk(name: string): JsonObject {
  const { d, p, q, dp, dq, qi, priv, ...members } = privateJwk(name)
  return members
}

/** All members of a key of `vectors/keys.json`. */
export function privateJwk(name: string): JsonObject {
  const key = keys[name]
  if (!isJsonObject(key)) throw new Error(`vectors/keys.json has no key "${name}"`)
  return key
}

/** The hash of an access token. RFC 9449 §4.2. */
export function hashOf(accessToken: string): string {
  return hash('sha256', accessToken, 'base64url')
}

/** Writes bytes, or the UTF-8 of a text, as base64url. */
function base64url(bytes: string | Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}

/** Most algorithms sign the same bytes otherwise each time: what is checked in stays as long as the bytes do. */
function settled(made: Vector): Vector {
  const before = checkedIn.get(made.id)
  return before && unsigned(before) === unsigned(made) ? { ...made, request: before.request } : made
}

const file = 'vectors/dpop-proofs.json'
const written: readonly Vector[] = existsSync(join(root, file)) ? JSON.parse(textOf(file)).vectors : []
const checkedIn: ReadonlyMap<string, Vector> = new Map(written.map((vector) => [vector.id, vector]))

function unsigned({ request: { method, url, headers } }: Vector): string {
  const proofs = headers.dpop?.map((proof) => proof.split('.', 2).join('.'))
  return JSON.stringify({ method, url, headers: { ...headers, dpop: proofs } })
}

function createProof(
  id: string,
  { key = 'ES256', accessToken, method, url, headerText, claimsText, signature, ...given }: Particulars,
): string {
  const alg = algorithmOf(key)
  const header = JSON.stringify({ typ: 'dpop+jwt', alg, jwk: publicJwk(key), ...given.header })
  const ath = accessToken === undefined ? undefined : hashOf(accessToken)
  const claims = JSON.stringify({ jti: id, htm: method, htu: url, iat: clock, ath, ...given.claims })
  const signed = `${base64url(headerText?.(header) ?? header)}.${base64url(claimsText?.(claims) ?? claims)}`
  const made = signatureOf(signed, createPrivateKey({ key: privateJwk(key), format: 'jwk' }), given.signs ?? alg)
  return `${signed}.${base64url(signature?.(made) ?? made)}`
}

/** The algorithm of a key is its name, but for those that nobody accepts. */
function algorithmOf(key: string): string {
  if (key.startsWith('RSA')) return 'PS256'
  return { secp256k1: 'ES256K', Ed448: 'EdDSA', X25519: 'EdDSA' }[key] ?? key.split(' ', 1)[0] ?? key
}

function signatureOf(text: string, key: KeyObject, algorithm: string): Buffer {
  const bytes = Buffer.from(text)
  const bits = { ES384: 384, ES512: 512 }[algorithm] ?? 256
  switch (key.asymmetricKeyType) {
    case 'ec':
      return sign(`sha${bits}`, bytes, { key, dsaEncoding: algorithm === 'DER' ? 'der' : 'ieee-p1363' })
    case 'rsa': {
      if (algorithm === 'RS256') return sign('sha256', bytes, key)
      const saltLength = algorithm === 'PS256 with a salt of 20 bytes' ? 20 : 32
      return sign('sha256', bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
    }
    case 'x25519':
      return Buffer.alloc(64)
    default:
      return sign(null, bytes, { key, ...(algorithm === 'with a context' && { context: Buffer.from('dpop') }) })
  }
}
