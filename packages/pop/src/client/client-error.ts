import type { Seconds } from '../foundation/clock.ts'

const sentences = {
  // what the caller wrote
  issuer_malformed: 'The issuer must be an https address without query and fragment.',
  certificate_missing: 'Binding by certificate was asked for, and there is no certificate.',
  proof_key_missing: 'Binding by DPoP was asked for, and there is no key that signs proofs.',
  certificate_expired: 'The client certificate has expired.',
  certificate_unusable: 'TLS cannot use the client certificate with its key.',
  trust_malformed: 'The ca option must hold at least one PEM certificate.',
  url_not_https: 'An access token is sent over https only.',
  address_unprovable: 'The address has a user, or an escape that is none: no proof can be made for it.',
  body_not_repeatable: 'The token or its proof was refused, and the body is a stream that cannot be sent again.',
  algorithm_unsupported: 'This platform does not know the signature algorithm.',
  key_store_unavailable: 'The browser does not keep the key.',
  client_closed: 'The client was closed.',
  key_file_unusable: 'The key file cannot be used.',
  browser_unavailable: 'No browser could be opened.',

  // the connection
  connection_failed: 'There is no connection to the server.',
  connection_lost: 'The server closed the connection before it answered.',
  certificate_rejected: 'The server rejected the client certificate?',
  server_untrusted: "The server's certificate cannot be trusted.",
  deadline_exceeded: 'The server did not answer in time.',

  // what the authorization server says of itself
  metadata_unavailable: 'The authorization server has no metadata at its well-known addresses.',
  metadata_malformed: 'The metadata of the authorization server are malformed.',
  issuer_mismatch: 'The metadata belong to another issuer than the one that was asked for.',
  endpoint_missing: 'The authorization server does not have this endpoint.',
  endpoint_not_https: 'The metadata name an endpoint that is not an https address.',
  authentication_unsupported: 'The authorization server takes no client secret.',
  pkce_unsupported: 'The authorization server does not take PKCE with S256.',

  // what it answers
  redirect_refused: 'The authorization server answered with a redirect, which is never followed.',
  response_too_large: 'The answer is too large.',
  response_malformed: 'The answer is malformed.',
  request_refused: 'The authorization server refused the request.',
  server_unavailable: 'The authorization server cannot answer at present.',
  token_type_unexpected: 'The token is of another type than was asked for.',
  token_unbound: 'Binding was asked for, and the token is not bound.',
  token_bound_elsewhere: 'The token is bound to another key than that of this client.',

  // what comes back through the browser, and what follows
  authorization_refused: 'The sign-in was refused.',
  authorization_expired: 'The sign-in took too long: begin again.',
  authorization_used: 'This sign-in has come to its end already.',
  parameter_repeated: 'A parameter of the answer stands there more than once.',
  state_missing: 'The answer has no state.',
  state_mismatch: 'The answer belongs to another sign-in than the one that was begun here.',
  issuer_missing: 'The answer does not say who gave it, though the authorization server always does.',
  issuer_unexpected: 'The answer was given by another authorization server.',
  answer_ambiguous: 'The answer holds a code and an error.',
  code_missing: 'The answer holds neither a code nor an error.',
  id_token_invalid: 'The ID token cannot be believed.',
  person_unexpected: 'The authorization server tells of somebody else than the one who signed in.',
  sign_in_required: 'Somebody must sign in, again or for the first time.',
} as const

/** Why a call of the client failed. Stable: programs may tell cases apart by it. */
export type ClientErrorReason = keyof typeof sentences

/** What is known of a failure beside its reason. */
export interface ClientErrorDetails {
  /** One short sentence for people; never holds a secret or a token. */
  readonly detail?: string | undefined
  /** The status of the answer, where there was one. */
  readonly status?: number | undefined
  /** The OAuth error code that the server gave. RFC 6749 §5.2. */
  readonly error?: string | undefined
  /** How long the server asked to wait. RFC 9110 §10.2.3. */
  readonly retryAfter?: Seconds | undefined
  readonly cause?: unknown
}

/** The one error that the client throws, whatever a server answers. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly reason: ClientErrorReason
  readonly status: number | undefined
  readonly error: string | undefined
  readonly retryAfter: Seconds | undefined

  constructor(reason: ClientErrorReason, { detail, status, error, retryAfter, cause }: ClientErrorDetails = {}) {
    const message = detail ? `${sentences[reason]} ${detail}` : sentences[reason]
    super(message, cause === undefined ? undefined : { cause })
    this.reason = reason
    this.status = status
    this.error = error
    this.retryAfter = retryAfter
  }
}

/**
 * Makes a server's text fit for an error message: 200 printable characters at most, known secrets taken out.
 * @returns undefined when there is nothing to say
 */
export function shorten(text: unknown, secrets: readonly string[] = []): string | undefined {
  if (typeof text !== 'string' || text === '') return undefined
  const safe = secrets.reduce((left, secret) => left.replaceAll(secret, '[redacted]'), text.slice(0, 8192))
  const printable = safe.replace(/[^\x20-\x7e]/g, '?')
  return printable.length > 200 ? `${printable.slice(0, 199)}…` : printable
}
