import { type KeyBinding, type Parameters, Refused } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AuthorizationRequest } from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import { isRegisteredRedirectUri } from '../model/redirect-uri.ts'
import { parseAuthorizationDetails } from './authorization-details.ts'
import type { ResponseTarget } from './declined.ts'
import { verifyIdTokenHint } from './id-token-hint.ts'
import { chooseScope } from './scope.ts'

/** How a code can be answered. OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode. */
export const responseModes = ['query', 'fragment', 'form_post'] as const

/** What a client can ask to be done with a person. OpenID Connect Core §3.1.2.1. */
export const prompts = ['none', 'login', 'consent', 'select_account'] as const

const longestState = 4096
const longestNonce = 512
const longestHint = 256

/**
 * Finds the client that a request names. Who it says it is has not been shown.
 * @throws {@link Refused} `client_id_missing`, `authorization_client_unknown`
 */
export async function findAskingClient(id: string | undefined, { clients }: Context): Promise<Client> {
  if (id === undefined) throw new Refused('client_id_missing')
  const client = id.length <= longestHint ? await clients.find(id) : undefined
  if (!client || client.disabled) throw new Refused('authorization_client_unknown')
  return client
}

/**
 * Finds the client that waits for the answer to a request, and that it may still get it there: registrations change
 * while people read. RFC 9126 §4.
 * @throws {@link Refused} `authorization_client_unknown`, `redirect_uri_unregistered`
 */
export async function findWaitingClient(
  { clientId, redirectUri }: AuthorizationRequest,
  context: Context,
): Promise<Client> {
  const client = await findAskingClient(clientId, context)
  if (!isRegisteredRedirectUri(redirectUri, client)) throw new Refused('redirect_uri_unregistered')
  return client
}

/**
 * Makes certain where the answer goes, before anything else is judged: whatever is wrong here is told to the person,
 * never sent anywhere. RFC 6749 §4.1.2.1, RFC 9700 §4.11.
 * @throws {@link Refused} `redirect_uri_missing`, `redirect_uri_unregistered`
 */
export function requireTarget(client: Client, parameters: Parameters): ResponseTarget {
  const [only, ...others] = client.redirect_uris
  const asked = parameters.one('redirect_uri')
  const redirectUri = asked ?? (others.length === 0 && !isOpenid(parameters) ? only : undefined)
  if (redirectUri === undefined) throw new Refused('redirect_uri_missing')
  if (!isRegisteredRedirectUri(redirectUri, client))
    throw new Refused('redirect_uri_unregistered', { seen: withoutQuery(redirectUri).slice(0, 256) })
  const state = parameters.one('state')
  const responseMode = responseModes.find((mode) => mode === parameters.one('response_mode')) ?? 'query'
  return { redirectUri, responseMode, ...(state !== undefined && state.length <= longestState && { state }) }
}

/**
 * Judges all that a client asks for, once its target is certain. RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707, RFC 9396,
 * OpenID Connect Core §3.1.2.1.
 * @throws {@link Refused} the reasons of authorization requests
 */
export async function judgeRequest(
  client: Client,
  parameters: Parameters,
  target: ResponseTarget,
  context: Context,
): Promise<AuthorizationRequest> {
  if (!client.grant_types.includes('authorization_code')) throw new Refused('authorization_not_allowed')
  requireResponse(parameters)
  const binding = parseThumbprint(parameters.one('dpop_jkt'))
  const [nonce, loginHint] = [parseNonce(parameters), parameters.one('login_hint')]
  const [maxAge, subjectHint] = [parseMaxAge(parameters), await parseSubject(parameters, context)]
  return {
    clientId: client.client_id,
    ...target,
    redirectUriGiven: parameters.one('redirect_uri') !== undefined,
    ...chooseScope(client, parameters, context.settings),
    codeChallenge: requireChallenge(parameters),
    ...(nonce !== undefined && { nonce }),
    prompt: parsePrompt(parameters),
    ...(maxAge !== undefined && { maxAge }),
    ...(loginHint !== undefined && loginHint.length <= longestHint && { loginHint }),
    uiLocales: (parameters.one('ui_locales') ?? '').split(' ').filter(isLanguageTag).slice(0, 10),
    ...(subjectHint !== undefined && { subjectHint }),
    authorizationDetails: parseAuthorizationDetails(parameters.one('authorization_details'), client, context.settings),
    ...(binding && { binding }),
  }
}

function isOpenid(parameters: Parameters): boolean {
  return (parameters.one('scope') ?? '').split(' ').includes('openid')
}

function requireResponse(parameters: Parameters): void {
  const type = parameters.one('response_type')
  if (type === undefined) throw new Refused('response_type_missing')
  if (type !== 'code') throw new Refused('response_type_unsupported')
  const mode = parameters.one('response_mode')
  if (mode !== undefined && !responseModes.some((each) => each === mode)) throw new Refused('response_mode_unknown')
  if ((parameters.one('state')?.length ?? 0) > longestState) throw new Refused('state_too_long')
}

/** RFC 7636 §4.3; `plain` and its absence are no protection. RFC 9700 §2.1.1. */
function requireChallenge(parameters: Parameters): string {
  const challenge = parameters.one('code_challenge')
  if (challenge === undefined) throw new Refused('code_challenge_missing')
  if (parameters.one('code_challenge_method') !== 'S256') throw new Refused('code_challenge_method')
  if (!sha256Form.test(challenge)) throw new Refused('code_challenge_malformed')
  return challenge
}

const sha256Form = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

function parseThumbprint(jkt: string | undefined): KeyBinding | undefined {
  if (jkt === undefined) return undefined
  if (!sha256Form.test(jkt)) throw new Refused('dpop_jkt_malformed')
  return { jkt }
}

function parseNonce(parameters: Parameters): string | undefined {
  const nonce = parameters.one('nonce')
  if (nonce !== undefined && nonce.length > longestNonce) throw new Refused('nonce_too_long')
  return nonce
}

function parsePrompt(parameters: Parameters): AuthorizationRequest['prompt'] {
  const words = (parameters.one('prompt') ?? '').split(' ').filter((word) => word !== '')
  const known = words.map((word) => prompts.find((prompt) => prompt === word))
  if (known.includes(undefined) || (words.includes('none') && words.length > 1)) throw new Refused('prompt_unknown')
  return known.filter((prompt) => prompt !== undefined)
}

function parseMaxAge(parameters: Parameters): number | undefined {
  const text = parameters.one('max_age')
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text)) throw new Refused('max_age_malformed')
  return Number(text)
}

async function parseSubject(parameters: Parameters, context: Context): Promise<string | undefined> {
  const hint = parameters.one('id_token_hint')
  return hint === undefined ? undefined : (await verifyIdTokenHint(hint, context)).subject
}

/** RFC 5646 §2.1, as far as it takes to tell a tag from something else. */
function isLanguageTag(tag: string): boolean {
  return /^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$/.test(tag)
}

/** What is told on: nobody knows what somebody put into a query. */
function withoutQuery(address: string): string {
  return address.replace(/[?#].*/s, '?…')
}
