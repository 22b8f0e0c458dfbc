import {
  type Confirmation,
  type Inbound,
  type Possession,
  Refused,
  refusals,
  renderChallenge,
  requireConfirmed,
  verifyCertificate,
} from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Authorization } from '../model/authorization.ts'
import { claimsWithin, openidClaims } from '../model/openid-scope.ts'
import { findPresentedToken, findStanding, type PresentedToken } from '../tokens/presented-token.ts'
import { behindIssuer, type Endpoint, type Outbound, uncacheable } from './endpoint.ts'
import { renderRefusal } from './refusal.ts'

/** Longer texts are no token of ours. */
const longestToken = 16_384

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
  metadata: () => ({
    claims_supported: ['iss', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'acr', 'amr', 'sid', ...openidClaims],
  }),
  renderRefusal: renderUserinfoRefusal,
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const { token, authorization } = await validate(presentedText(inbound), context)
  confirm(token.confirmation, inbound, context)
  const scope = token.scope.split(' ')
  if (!scope.includes('openid')) throw new Refused('scope_insufficient', { expected: 'openid', seen: token.scope })
  const person = await context.people.find(authorization.subject)
  if (!person) throw new Refused('token_inactive')
  const claims = { sub: token.subject, ...claimsWithin(scope, person.claims) }
  return { status: 200, headers: uncacheable, body: JSON.stringify(claims) }
}

/** The token of the one Authorization header, or of the form of a POST; never of the query. RFC 6750 §2. */
function presentedText({ method, url, headers, form = [] }: Inbound): string {
  if (url.includes('?') && new URL(url).searchParams.has('access_token')) throw new Refused('token_in_query')
  const presented = [...(headers.authorization ?? []).map(bearerOf), ...(method === 'POST' ? valuesOf(form) : [])]
  const [text, second] = presented
  if (text === undefined) throw new Refused('token_missing')
  if (second !== undefined) throw new Refused('token_repeated')
  return text
}

function bearerOf(header: string): string {
  const [, text] = /^bearer +(.*)$/i.exec(header) ?? []
  if (text === undefined) throw new Refused('token_scheme_unknown', { expected: 'Bearer' })
  return text
}

function valuesOf(form: NonNullable<Inbound['form']>): readonly string[] {
  return form.filter(([name]) => name === 'access_token').map(([, value]) => value)
}

/** A token that stands and is a person's: a client that acts for itself has no claims. */
async function validate(
  text: string,
  context: Context,
): Promise<{ readonly token: PresentedToken; readonly authorization: Authorization }> {
  const token = text.length <= longestToken ? await findPresentedToken(text, context) : undefined
  const standing = token && (await findStanding(token, context))
  if (!token || !standing) throw new Refused('token_inactive')
  if (!standing.authorization) throw new Refused('scope_insufficient', { expected: 'openid', seen: token.scope })
  return { token, authorization: standing.authorization }
}

/** A certificate counts when the token is bound to one; any other is not judged. RFC 8705 §3. */
function confirm(confirmation: Confirmation | undefined, { certificate }: Inbound, context: Context): void {
  if (!confirmation) return
  const counts = confirmation['x5t#S256'] !== undefined && certificate !== undefined
  requireConfirmed(confirmation, counts ? [judged(certificate, context)] : [])
}

function judged(certificate: NonNullable<Inbound['certificate']>, { now, primitives }: Context): Possession {
  try {
    return verifyCertificate(certificate, now(), primitives)
  } catch (cause) {
    throw cause instanceof Refused
      ? new Refused('confirmation_certificate_unacceptable', { seen: cause.reason, cause })
      : cause
  }
}

const statuses: Readonly<Record<string, number>> = { token_missing: 401, invalid_token: 401, insufficient_scope: 403 }

/** Who sent no token gets no error code. RFC 6750 §3, §3.1. */
function renderUserinfoRefusal(
  refused: Refused,
  _: Pick<Inbound, 'headers'>,
  { issuer }: Context['settings'],
): Outbound {
  const { error, says } = refusals[refused.reason]
  const status = statuses[error]
  if (status === undefined) return renderRefusal(refused)
  const challenge = renderChallenge('Bearer', {
    realm: issuer,
    ...(error === 'token_missing' ? {} : { error, error_description: says }),
    ...(error === 'insufficient_scope' ? { scope: 'openid' } : {}),
  })
  return {
    status,
    headers: { ...uncacheable, 'www-authenticate': challenge },
    body: JSON.stringify({ error, error_description: says }),
  }
}
