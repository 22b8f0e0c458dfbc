import type { Seconds } from '../foundation/clock.ts'
import { parseJwt } from '../foundation/jws.ts'
import type { TokenScheme } from '../oauth/token-scheme.ts'
import { type Confirmation, parseConfirmation } from '../proof/confirmation.ts'
import { ClientError, shorten } from './client-error.ts'
import type { Answer } from './endpoints.ts'

/** An access token as the server gave it. */
export interface AccessToken {
  /** Not enumerable, so that neither `console.log` nor `JSON.stringify` nor a copy by spreading shows it. */
  readonly access_token: string
  /** The scheme that it is sent with: `DPoP` when it is bound to the key of proofs. RFC 9449 §5. */
  readonly token_type: TokenScheme
  /** Undefined when the server did not say. */
  readonly expires: Seconds | undefined
  readonly scope: string | undefined
  /** What the token says of its holder's key. An opaque token does not say: undefined. */
  readonly confirmation: Confirmation | undefined
}

/** What a token must be bound to: a certificate or the key of proofs, by its thumbprint; or nothing in particular. */
export type Binding = { readonly member: 'x5t#S256' | 'jkt'; readonly thumbprint: string } | 'none'

/** The longest time that a server's `expires_in` is believed. */
const longest: Seconds = 86_400

/**
 * Reads a token response. RFC 6749 §5.1, RFC 6750 §2.1, RFC 9449 §5.
 *
 * Whether a token is bound can be seen when it is a JWT. Of an opaque one the client knows only what the server
 * promises: by its type, that it is bound to the key of the proof; by the server's metadata, that it is bound to the
 * certificate.
 *
 * @throws {@link ClientError} `response_malformed`, `token_type_unexpected`, `token_unbound`, `token_bound_elsewhere`
 */
export function parseAccessToken({ json, metadata }: Answer, binding: Binding, now: Seconds): AccessToken {
  const { access_token, token_type, expires_in, scope } = json ?? {}
  if (typeof access_token !== 'string' || !/^[A-Za-z0-9._~+/-]{1,16384}=*$/.test(access_token)) {
    throw malformed('access_token')
  }
  if (typeof token_type !== 'string') throw malformed('token_type')
  const isDpop = binding !== 'none' && binding.member === 'jkt'
  const expected = isDpop ? 'DPoP' : 'Bearer'
  if (token_type.toLowerCase() !== expected.toLowerCase()) {
    const seen = shorten(token_type, [access_token])
    throw new ClientError('token_type_unexpected', { detail: `It is ${seen}, and not ${expected}.` })
  }
  if (scope !== undefined && typeof scope !== 'string') throw malformed('scope')
  if (expires_in !== undefined && !isLifetime(expires_in)) throw malformed('expires_in')
  const isPromised = isDpop || metadata.tls_client_certificate_bound_access_tokens === true
  const token = {
    token_type: expected,
    expires: expires_in === undefined ? undefined : now + Math.min(expires_in, longest),
    scope,
    confirmation: requireBound(access_token, binding, isPromised),
  } as const
  return Object.defineProperty(token, 'access_token', { value: access_token }) as AccessToken
}

function requireBound(access_token: string, binding: Binding, isPromised: boolean): Confirmation | undefined {
  const jwt = parseJwt(access_token)
  const confirmation = jwt && findConfirmation(jwt.claims.cnf)
  if (binding === 'none' || (!jwt && isPromised)) return confirmation
  if (!jwt) {
    throw new ClientError('token_unbound', { detail: 'The server does not say that it binds tokens to certificates.' })
  }
  const thumbprint = confirmation?.[binding.member]
  if (thumbprint === undefined) throw new ClientError('token_unbound')
  if (thumbprint !== binding.thumbprint) {
    throw new ClientError('token_bound_elsewhere', { detail: `It says ${thumbprint}.` })
  }
  return confirmation
}

function findConfirmation(cnf: unknown): Confirmation | undefined {
  try {
    return parseConfirmation(cnf)
  } catch {
    return undefined
  }
}

function isLifetime(value: unknown): value is Seconds {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
}

function malformed(member: string): ClientError {
  return new ClientError('response_malformed', { detail: `Its ${member} cannot be used.` })
}
