import { keyBindingOf, type Possession, Refused, type Seconds } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Authorization, RefreshToken } from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import type { Issuance } from '../tokens/access-token.ts'
import { findAuthorization } from '../tokens/presented-token.ts'
import { subjectFor } from '../tokens/subject.ts'
import { chooseAudience, wordsOf } from './audience.ts'
import type { GrantRequest } from './grant.ts'

/**
 * Who loses a race comes within this time after who won it, counted in whole seconds, and is declined. Later it is a
 * replay: somebody else has the code or token too, and what it gave is revoked. RFC 6749 §4.1.2, RFC 9700 §4.14.2.
 */
const race: Seconds = 1

/** Says whether something that was used up at a moment is now replayed, and not only late in a race. */
export function isReplay(usedUp: Seconds, now: Seconds): boolean {
  return now - usedUp > race
}

/**
 * Ends the family of a code or refresh token that somebody has replayed, tells the operator, and declines.
 * @throws {@link Refused} the reason
 */
export async function refuseReplay(
  reason: 'code_replayed' | 'refresh_token_replayed',
  { authorizationId: id, clientId: client }: Pick<RefreshToken, 'authorizationId' | 'clientId'>,
  { store, now, audit, report }: Context,
): Promise<never> {
  const { subject } = (await store.findAuthorization(id)) ?? {}
  await store.audited({
    verb: 'revokeAuthorization',
    data: { id, now: now() },
    audit: audit({
      event: 'authorization_revoked',
      actor: 'server',
      client,
      ...(subject !== undefined && { subject }),
      reason,
    }),
  })
  report({ level: 'warn', event: 'authorization_revoked', client, reason })
  throw new Refused(reason)
}

/**
 * Finds what a code or refresh token follows from.
 * @throws {@link Refused} `authorization_ended`, `person_gone`
 */
export async function requireAuthorization(id: string, context: Context): Promise<Authorization> {
  const authorization = await findAuthorization(id, context)
  if (authorization) return authorization
  throw new Refused((await context.store.findAuthorization(id)) ? 'person_gone' : 'authorization_ended')
}

/**
 * What a person's authorization earns a client now: what was allowed and the client may still have, narrowed by what
 * it asks for, bound to the key that it has shown.
 */
export function earn(
  authorization: Authorization,
  { authenticated: { client }, parameters, confirmation, uses }: GrantRequest,
  context: Context,
): Issuance {
  const permission = { scope: stillAllowed(authorization, client), resources: authorization.resources, byPerson: true }
  const { scope, audience, accessToken } = chooseAudience(client, parameters, context.settings, permission)
  return {
    grant: {
      subject: subjectFor(client, authorization.subject, context),
      clientId: client.client_id,
      scope,
      audience,
      authorizationId: authorization.id,
      ...(confirmation && { confirmation }),
    },
    accessToken,
    uses,
    authorization,
    ...(wordsOf(scope).includes('openid') && { idToken: { client } }),
  }
}

/** The first refresh token of a family. A public client's is bound to what binds its access token. RFC 8705 §4, RFC 9449 §5. */
export function firstRefreshToken(
  authorization: Authorization,
  { authenticated: { client, authentication }, possession, confirmation }: GrantRequest,
  now: Seconds,
): Omit<RefreshToken, 'hash'> {
  const holder = authentication === 'none' ? 'public' : 'confidential'
  return {
    authorizationId: authorization.id,
    clientId: client.client_id,
    holder,
    ...bindingOf(holder, possession),
    beganBound: confirmation !== undefined,
    generation: 0,
    created: now,
    expires: Math.min(authorization.expires, authorization.created + client.refresh_token_lifetime),
  }
}

/** What binds a refresh token: nothing where the client authenticates, which protects it better. */
export function bindingOf(
  holder: RefreshToken['holder'],
  possession: Possession | undefined,
): Pick<RefreshToken, 'binding'> {
  return holder === 'public' && possession ? { binding: keyBindingOf(possession) } : {}
}

/** An operator may have taken a scope from the client since. */
function stillAllowed({ scope }: Authorization, client: Client): string {
  const allowed = wordsOf(client.scope)
  return wordsOf(scope)
    .filter((each) => allowed.includes(each))
    .join(' ')
}
