import { encodeBase64url } from '../../foundation/base64url.ts'
import type { Seconds } from '../../foundation/clock.ts'
import { ClientError } from '../client-error.ts'
import type { ClientContext } from '../context.ts'
import type { Endpoints, Form } from '../endpoints.ts'
import type { Prover } from '../prover.ts'

/** What a person is asked for. RFC 6749 §4.1.1, RFC 8707 §2, OpenID Connect Core §3.1.2.1. */
export interface AuthorizationRequest {
  readonly redirect_uri: string
  readonly scope?: string | undefined
  readonly resource?: string | readonly string[] | undefined
  readonly prompt?: string | undefined
  readonly login_hint?: string | undefined
  readonly ui_locales?: string | undefined
}

/**
 * A sign-in that was begun: the browser goes to `url`. The rest is kept where only its beginner can read it until the
 * answer comes: the `code_verifier` is a secret.
 */
export interface Authorization extends PendingAuthorization {
  readonly url: string
}

/** What must be known of a sign-in to believe its answer. Plain data: it may be stored, encrypted. */
export interface PendingAuthorization {
  readonly redirect_uri: string
  readonly state: string
  readonly code_verifier: string
  /** There when an ID token was asked for. */
  readonly nonce?: string
  readonly began: Seconds
}

/** Over what it begins. */
export interface AuthorizationPath {
  readonly endpoints: Endpoints
  readonly prover: Pick<Prover, 'thumbprint'> | undefined
  readonly context: ClientContext
}

/**
 * Begins a sign-in: PKCE S256, a state, a nonce where an ID token is asked for. Where the server takes pushed requests
 * it is pushed, so that nobody on the way sees or changes it, and the code is bound to the certificate that pushed it;
 * to the key of proofs it is bound either way. RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 9126 §2.1, RFC 9449 §10,
 * RFC 9700 §2.1.1.
 *
 * @throws {@link ClientError} `pkce_unsupported`, `endpoint_missing`, those of discovery and of the pushed request
 */
export async function beginAuthorization(
  client_id: string,
  request: AuthorizationRequest,
  { endpoints, prover, context }: AuthorizationPath,
): Promise<Authorization> {
  const { code_challenge_methods_supported: methods = ['S256'], ...metadata } = await endpoints.metadata()
  const address = metadata.authorization_endpoint
  if (address === undefined) throw new ClientError('endpoint_missing', { detail: 'authorization_endpoint' })
  if (!methods.includes('S256')) throw new ClientError('pkce_unsupported')
  const pending = await pend(request, context)
  const dpop_jkt = await prover?.thumbprint()
  const client = ['client_id', client_id] as const
  const form = [
    client,
    ...(await formOf(request, pending, context)),
    ...(dpop_jkt === undefined ? [] : [['dpop_jkt', dpop_jkt] as const]),
  ]
  const isPushed = metadata.pushed_authorization_request_endpoint !== undefined
  const url = new URL(address)
  for (const [name, value] of isPushed ? [client, await push(form, endpoints)] : form)
    url.searchParams.append(name, value)
  return { ...pending, url: url.href }
}

async function pend({ redirect_uri, scope = '' }: AuthorizationRequest, { now, random }: ClientContext) {
  const secret = () => encodeBase64url(random(32))
  const pending = { redirect_uri, state: secret(), code_verifier: secret(), began: now() }
  return scope.split(' ').includes('openid') ? { ...pending, nonce: secret() } : pending
}

async function formOf(
  { redirect_uri, resource = [], ...optional }: AuthorizationRequest,
  { state, nonce, code_verifier }: PendingAuthorization,
  { sha256 }: ClientContext,
): Promise<Form> {
  const code_challenge = encodeBase64url(await sha256(new TextEncoder().encode(code_verifier)))
  const { scope, prompt, login_hint, ui_locales } = optional
  const single = { redirect_uri, scope, state, nonce, code_challenge, prompt, login_hint, ui_locales }
  const form: [string, string][] = [
    ['response_type', 'code'],
    ['code_challenge_method', 'S256'],
  ]
  for (const [name, value] of Object.entries(single)) if (value !== undefined) form.push([name, value])
  for (const uri of typeof resource === 'string' ? [resource] : resource) form.push(['resource', uri])
  return form
}

async function push(form: Form, endpoints: Endpoints): Promise<Form[number]> {
  const { json } = await endpoints.post('pushed_authorization_request_endpoint', form)
  const request_uri = json?.request_uri
  if (typeof request_uri !== 'string' || request_uri === '') {
    throw new ClientError('response_malformed', { detail: 'Its request_uri cannot be used.' })
  }
  return ['request_uri', request_uri]
}
