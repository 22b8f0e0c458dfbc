import { hash } from 'node:crypto'
import type { Seconds } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Authorization } from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import type { AccessGrant } from '../model/reference-token.ts'
import type { SigningAlgorithm } from '../model/signing-key.ts'
import { signJwt } from './jwt.ts'

/** How long an ID token may be believed: it tells of a sign-in, and is read at once. */
const lifetime: Seconds = 3600

/** Nobody has vouched for who the person is: below level 1 of ISO/IEC 29115. How they signed in is in `amr`. */
export const authenticationClass = '0'

/** Whom an ID token is for, and what binds it to the authorization request. */
export interface IdTokenRequest {
  readonly client: Client
  /** Absent at a refresh. OpenID Connect Core §12.2. */
  readonly nonce?: string
}

/**
 * Signs an ID token for the client that the access token goes to. OpenID Connect Core §2, §3.1.3.3. It has one
 * audience, and so no `azp`.
 */
export async function signIdToken(
  { client, nonce }: IdTokenRequest,
  {
    grant,
    authorization,
    token,
  }: { readonly grant: AccessGrant; readonly authorization: Authorization; readonly token: string },
  { settings, signer, now }: Pick<Context, 'settings' | 'signer' | 'now'>,
): Promise<string> {
  const algorithm = idTokenAlgorithmOf(client, settings.accessTokens.algorithm)
  const issued = now()
  const claims = {
    iss: settings.issuer,
    sub: grant.subject,
    aud: client.client_id,
    exp: issued + lifetime,
    iat: issued,
    auth_time: authorization.authenticated,
    nonce,
    acr: authenticationClass,
    amr: authorization.methods,
    sid: authorization.sid,
    at_hash: accessTokenHash(token, algorithm),
  }
  return await signJwt('JWT', claims, signer.active(algorithm))
}

/** The signature of a client's ID tokens. */
export function idTokenAlgorithmOf(
  { id_token_signed_response_alg }: Client,
  general: SigningAlgorithm,
): SigningAlgorithm {
  return id_token_signed_response_alg ?? general
}

/** The left half of the hash that goes with the signature. OpenID Connect Core §3.1.3.6. */
function accessTokenHash(token: string, algorithm: SigningAlgorithm): string | undefined {
  const name = hashes[algorithm]
  if (name === undefined) return undefined
  const digest = hash(name, token, 'buffer')
  return digest.subarray(0, digest.length / 2).toString('base64url')
}

/** None for ML-DSA: no specification says yet which one goes with it, and `at_hash` may be left out. */
const hashes: Partial<Record<SigningAlgorithm, string>> = {
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
  EdDSA: 'sha512',
  Ed25519: 'sha512',
  PS256: 'sha256',
  RS256: 'sha256',
}
