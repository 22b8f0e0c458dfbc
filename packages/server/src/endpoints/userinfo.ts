import {
  asTokenRefusal,
  type Confirmation,
  findTokenScheme,
  type Inbound,
  type Possession,
  Refused,
  refusals,
  renderTokenChallenges,
  requireConfirmed,
  requireScheme,
  type TokenScheme,
  verifyCertificate,
} from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Authorization } from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import { claimsWithin, openidClaims } from '../model/openid-scope.ts'
import { requireProof } from '../possession/dpop.ts'
import type { Proven } from '../possession/prove.ts'
import { bindingOf, useUp } from '../tokens/access-token.ts'
import { findPresentedToken, findStanding, type PresentedToken } from '../tokens/presented-token.ts'
import { answering, behindIssuer, type Endpoint, type Outbound, uncacheable } from './endpoint.ts'
import { renderRefusal } from './refusal.ts'

/**
 * UserInfo: the claims of the person that the scopes of an access token open. OpenID Connect Core §5.3.
 *
 * Any access token of ours with the scope `openid` will do, whatever its audience; one that is bound only with its key.
 */
export const userinfo: Endpoint = {
  paths: behindIssuer('/userinfo'),
  methods: ['GET', 'POST'],
  address: 'userinfo_endpoint',
  aliased: true,
  openTo: 'registered-origins',
  metadata: () => ({
    claims_supported: ['iss', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'acr', 'amr', 'sid', ...openidClaims],
  }),
  renderRefusal: renderUserinfoRefusal,
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const { scheme, text } = presentedToken(inbound)
  const { token, client, authorization } = await validate(text, context)
  requireScheme(scheme, token.confirmation)
  const proven = token.confirmation ? await confirm(token.confirmation, { inbound, text, client }, context) : nothing
  const scope = token.scope.split(' ')
  if (!scope.includes('openid')) throw new Refused('scope_insufficient', { expected: 'openid', seen: token.scope })
  const person = await context.people.find(authorization.subject)
  if (!person) throw new Refused('token_inactive')
  await useUp(proven.uses, context)
  const claims = { sub: token.subject, ...claimsWithin(scope, person.claims) }
  return {
    status: 200,
    headers: answering(proven),
    body: JSON.stringify(claims),
    decision: { client: client.client_id, binding: bindingOf(token.confirmation), format: token.form },
  }
}

interface Presented {
  readonly scheme: TokenScheme
  readonly text: string
}

/** The token of the one Authorization header, or of the form of a POST; never of the query. RFC 6750 §2, RFC 9449 §7.1. */
function presentedToken({ method, url, headers, form = [] }: Inbound): Presented {
  if (url.includes('?') && new URL(url).searchParams.has('access_token')) throw new Refused('token_in_query')
  const presented = [...(headers.authorization ?? []).map(parseHeader), ...(method === 'POST' ? valuesOf(form) : [])]
  const [first, second] = presented
  if (first === undefined) throw new Refused('token_missing')
  if (second !== undefined) throw new Refused('token_repeated')
  return first
}

function parseHeader(header: string): Presented {
  const scheme = findTokenScheme(header)
  if (!scheme) throw new Refused('token_scheme_unknown', { expected: 'Bearer or DPoP' })
  return { scheme, text: header.slice(scheme.length).trimStart() }
}

function valuesOf(form: NonNullable<Inbound['form']>): readonly Presented[] {
  return form.filter(([name]) => name === 'access_token').map(([, text]) => ({ scheme: 'Bearer', text }))
}

/** A token that stands and is a person's: a client that acts for itself has no claims. */
async function validate(
  text: string,
  context: Context,
): Promise<{ readonly token: PresentedToken; readonly client: Client; readonly authorization: Authorization }> {
  const token = await findPresentedToken(text, context)
  const standing = token && (await findStanding(token, context))
  if (!token || !standing) throw new Refused('token_inactive')
  if (!standing.authorization) throw new Refused('scope_insufficient', { expected: 'openid', seen: token.scope })
  return { token, client: standing.client, authorization: standing.authorization }
}

/** What a request with a token that is bound to nothing has shown. */
const nothing: Pick<Proven, 'uses' | 'nextNonce'> = { uses: [] }

/** Proof and certificate count when the token is bound to them; any other is not judged. RFC 8705 §3, RFC 9449 §7.1. */
async function confirm(
  confirmation: Confirmation,
  { inbound, text, client }: { readonly inbound: Inbound; readonly text: string; readonly client: Client },
  context: Context,
): Promise<Pick<Proven, 'uses' | 'nextNonce'>> {
  const { certificate } = inbound
  const counts = confirmation['x5t#S256'] !== undefined && certificate !== undefined
  const presented = { client, accessToken: text }
  const proof = confirmation.jkt === undefined ? undefined : await requireProof(inbound, presented, context)
  requireConfirmed(confirmation, [
    ...(counts ? [judged(certificate, context)] : []),
    ...(proof ? [proof.possession] : []),
  ])
  return { uses: [], ...proof }
}

function judged(certificate: NonNullable<Inbound['certificate']>, { now, primitives }: Context): Possession {
  try {
    return verifyCertificate(certificate, now(), primitives)
  } catch (cause) {
    throw cause instanceof Refused ? asTokenRefusal(cause) : cause
  }
}

const statuses: Readonly<Record<string, number>> = {
  token_missing: 401,
  invalid_token: 401,
  invalid_dpop_proof: 401,
  use_dpop_nonce: 401,
  insufficient_scope: 403,
}

/** Who sent no token gets no error code. RFC 6750 §3, §3.1; RFC 9449 §7.1, §9. */
function renderUserinfoRefusal(
  refused: Refused,
  { headers }: Pick<Inbound, 'headers'>,
  { issuer, dpop }: Context['settings'],
): Outbound {
  const { error, says } = refusals[refused.reason]
  const status = statuses[error]
  if (status === undefined) return renderRefusal(refused)
  const scheme = findTokenScheme(headers.authorization?.[0] ?? '')
  const used = scheme ?? (error === 'token_missing' ? undefined : 'Bearer')
  const api = { schemes: ['Bearer', 'DPoP'], algorithms: dpop.algorithms, parameters: { realm: issuer } } as const
  return {
    status,
    headers: {
      ...uncacheable,
      'www-authenticate': renderTokenChallenges(refused.reason, used, api, 'openid'),
      ...(refused.nonce !== undefined && { 'dpop-nonce': refused.nonce }),
    },
    body: JSON.stringify({ error, error_description: says }),
  }
}
