import { constants, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { encodeBase64url } from '../foundation/base64url.ts'
import type { Clock, Seconds } from '../foundation/clock.ts'
import type { Fetch } from '../foundation/get-json.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { SignatureAlgorithm } from '../foundation/jwk.ts'
import { authorizationServerMetadataUrl } from '../oauth/well-known.ts'

/** An issuer for tests: real keys, no network. Its tokens are right unless one thing is asked to be wrong. */
export interface TestIssuer {
  readonly issuer: string
  readonly audience: string
  readonly now: Clock
  /** The public keys. */
  readonly jwks: JsonObject
  readonly metadata: JsonObject
  /** The private key of the tokens, to sign something of one's own. */
  readonly key: KeyObject
  /** Signs a JWT access token. RFC 9068. */
  accessToken(overrides?: TokenOverrides): string
  /** Gives a handle for which introspection answers with these claims, as if they were the token's. RFC 7662. */
  referenceToken(claims?: JsonObject): string
  /** Makes introspection say from now on that a token is not active. */
  revoke(token: string): void
  /** Answers for metadata, keys and introspection, as `fetch` does. Anything else is 404. */
  readonly fetch: Fetch
  /** The addresses that were fetched, in order. */
  readonly fetched: readonly string[]
}

/** What shall be different about one token. A claim or header that is `undefined` is left out. */
export interface TokenOverrides {
  readonly header?: JsonObject
  readonly claims?: JsonObject
  /** Sign with another key. */
  readonly key?: KeyObject
  /** Put this in the place of the signature. */
  readonly signature?: string
}

/** The clock of test issuers unless they are given one: it stands still. */
export const testNow: Seconds = 1_800_000_000

/** What a test issuer is; all of it has a default. */
export interface TestIssuerOptions {
  readonly issuer?: string
  /** The API that its tokens are for. */
  readonly audience?: string
  readonly algorithm?: SignatureAlgorithm
  readonly kid?: string
  readonly now?: Clock
  /** Who may introspect. */
  readonly credentials?: { readonly client_id: string; readonly client_secret: string }
}

/** Creates an issuer for tests. */
export function createTestIssuer({
  issuer = 'https://issuer.test',
  audience = 'https://api.test',
  algorithm = 'ES256',
  kid = 'test-key',
  now = () => testNow,
  credentials = { client_id: 'api', client_secret: 'api-secret' },
}: TestIssuerOptions = {}): TestIssuer {
  const key = generateTestKey(algorithm)
  const jwks = { keys: [{ ...createPublicKey(key).export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' }] }
  const metadata = {
    issuer,
    jwks_uri: `${issuer}/keys`,
    introspection_endpoint: `${issuer}/introspect`,
    mtls_endpoint_aliases: { introspection_endpoint: `${issuer}/mtls/introspect` },
  }
  const references = new Map<string, JsonObject>()
  const fetched: string[] = []

  const claims = (): JsonObject => ({
    iss: issuer,
    aud: audience,
    sub: 'client',
    client_id: 'client',
    jti: randomUUID(),
    iat: now(),
    exp: now() + 300,
    scope: 'api1',
  })

  function introspect(request: RequestInit): Response {
    const form = new URLSearchParams(String(request.body))
    const { client_id, client_secret } = credentials
    const authorization = new Headers(request.headers).get('authorization')
    const isAllowed = authorization === `Basic ${btoa(`${client_id}:${client_secret}`)}`
    if (!isAllowed && form.get('client_id') !== client_id)
      return Response.json({ error: 'invalid_client' }, { status: 401 })
    return Response.json(references.get(form.get('token') ?? '') ?? { active: false })
  }

  return {
    issuer,
    audience,
    now,
    jwks,
    metadata,
    key,
    accessToken: (overrides = {}) =>
      signJwt(
        { alg: algorithm, typ: 'at+jwt', kid, ...overrides.header },
        { ...claims(), ...overrides.claims },
        overrides.key ?? key,
        overrides.signature,
      ),
    referenceToken(overrides) {
      const handle = `reference-${randomUUID()}`
      references.set(handle, { active: true, token_type: 'Bearer', ...claims(), ...overrides })
      return handle
    },
    revoke(token) {
      references.delete(token)
    },
    fetch: async (url, init) => {
      fetched.push(url)
      if (url === authorizationServerMetadataUrl(issuer)) return Response.json(metadata)
      if (url === metadata.jwks_uri) return Response.json(jwks)
      if (url === metadata.introspection_endpoint) return introspect(init)
      if (url === metadata.mtls_endpoint_aliases.introspection_endpoint) return introspect(init)
      return new Response('not found', { status: 404 })
    },
    fetched,
  }
}

/** Makes a private key for an algorithm. */
export function generateTestKey(algorithm: SignatureAlgorithm): KeyObject {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey
    case 'PS256':
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    case 'EdDSA':
    case 'Ed25519':
      return generateKeyPairSync('ed25519').privateKey
    case 'ML-DSA-44':
      return generateKeyPairSync('ml-dsa-44').privateKey
    case 'ML-DSA-65':
      return generateKeyPairSync('ml-dsa-65').privateKey
    case 'ML-DSA-87':
      return generateKeyPairSync('ml-dsa-87').privateKey
  }
}

/** Signs any header and claims with a key, as the header's `alg` says as far as the key can. */
export function signJwt(header: JsonObject, claims: JsonObject, key: KeyObject, signature?: string): string {
  const signed = `${encodeJson(header)}.${encodeJson(claims)}`
  return `${signed}.${signature ?? encodeBase64url(signatureOf(String(header.alg), signed, key))}`
}

function signatureOf(algorithm: string, text: string, key: KeyObject): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  const type = key.asymmetricKeyType
  if (type === 'ec') return sign(`sha${algorithm.slice(2)}`, bytes, { key, dsaEncoding: 'ieee-p1363' })
  if (type !== 'rsa') return sign(null, bytes, key)
  if (algorithm !== 'PS256') return sign('sha256', bytes, key)
  return sign('sha256', bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
}

function encodeJson(value: JsonObject): string {
  return encodeBase64url(new TextEncoder().encode(JSON.stringify(value)))
}
