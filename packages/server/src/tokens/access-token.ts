import { Refused, type Seconds } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AccessGrant, ReferenceToken } from '../model/reference-token.ts'
import type { ActiveKey } from '../ports/signer.ts'
import type { Use } from '../ports/store.ts'
import type { AccessTokenSettings } from '../settings.ts'
import { createHandle, handleHash } from './handle.ts'
import { signJwt } from './jwt.ts'

/** An access token that has just come to be. */
export interface AccessToken {
  readonly token: string
  readonly lifetime: Seconds
  readonly scope: string
}

/** What is to be issued: the outcome of the first three steps. */
export interface Issuance {
  readonly grant: AccessGrant
  readonly accessToken: AccessTokenSettings
  readonly uses: readonly Use[]
}

/**
 * Uses up what the request brought, records what must survive, and makes the access token: the only step that writes,
 * in one store verb, all or nothing. A JWT without uses touches no store, and is signed after the verb's COMMIT.
 * @throws {@link Refused} `assertion_replayed`
 */
export async function issue({ grant, accessToken, uses }: Issuance, context: Context): Promise<AccessToken> {
  const issued = context.now()
  const life = { jti: identifier(context), issued, expires: issued + accessToken.lifetime }
  const answer = (token: string) => ({ token, lifetime: accessToken.lifetime, scope: grant.scope })
  if (accessToken.format === 'reference') {
    const handle = createHandle(context.primitives.random)
    await record(uses, { ...grant, ...life, hash: handleHash(handle) }, context)
    return answer(handle)
  }
  if (uses.length > 0) await record(uses, undefined, context)
  return answer(await sign(grant, life, context.signer.active(accessToken.algorithm), context.settings.issuer))
}

/** Uses up what an authenticated request brought that issues nothing. @throws {@link Refused} `assertion_replayed` */
export async function useUp(uses: readonly Use[], context: Context): Promise<void> {
  if (uses.length > 0) await record(uses, undefined, context)
}

async function record(
  uses: readonly Use[],
  referenceToken: ReferenceToken | undefined,
  { store }: Context,
): Promise<void> {
  const outcome = await store.issue(referenceToken ? { uses, referenceToken } : { uses })
  if (!outcome.issued) throw new Refused(`${outcome.lost}_replayed`)
}

interface Life {
  readonly jti: string
  readonly issued: Seconds
  readonly expires: Seconds
}

/** A JWT access token. RFC 9068 §2. */
async function sign(
  grant: AccessGrant,
  { jti, issued, expires }: Life,
  key: ActiveKey,
  issuer: string,
): Promise<string> {
  const { audience, confirmation } = grant
  const claims = {
    iss: issuer,
    exp: expires,
    aud: audience.length === 1 ? audience[0] : audience,
    sub: grant.subject,
    client_id: grant.clientId,
    iat: issued,
    jti,
    scope: grant.scope,
    cnf: confirmation,
  }
  return await signJwt('at+jwt', claims, key)
}

function identifier({ primitives }: Context): string {
  return Buffer.from(primitives.random(16)).toString('base64url')
}
