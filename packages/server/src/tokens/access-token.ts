import {
  type Confirmation,
  type JsonObject,
  type Reason,
  Refused,
  type Replay,
  requireFirstUse,
  type Seconds,
  schemeFor,
  type TokenScheme,
} from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Authorization, RefreshToken } from '../model/authorization.ts'
import type { AccessGrant, ReferenceToken } from '../model/reference-token.ts'
import type { Issue, Lost, Redemption, Use } from '../ports/store.ts'
import type { AccessTokenSettings } from '../settings.ts'
import { createHandle, handleHash } from './handle.ts'
import { type IdTokenRequest, idTokenAlgorithmOf, signIdToken } from './id-token.ts'
import { identifierOf, type Life, signAccessToken } from './jwt-access-token.ts'

/** What is to be issued: the outcome of the first three steps, judged, nothing used up. */
export interface Issuance {
  readonly grant: AccessGrant
  readonly accessToken: AccessTokenSettings
  /** What `issue` marks as used. */
  readonly uses: readonly Use[]
  readonly redemptions?: readonly Redemption[]
  /** A person's authorization that must still stand. */
  readonly authorization?: Authorization
  /** What the refresh token shall be; its handle and hash are made by `issue`. */
  readonly refreshToken?: Omit<RefreshToken, 'hash'>
  /** The scope has `openid`: an ID token goes with it. */
  readonly idToken?: IdTokenRequest
  /** What the answer calls the type of the token. RFC 8693 §3. */
  readonly type?: string
}

/** What issuing needs. */
type Issuing = Pick<Context, 'settings' | 'store' | 'replay' | 'signer' | 'primitives' | 'now'>

/** An access token that has just come to be, and what goes with it. */
export interface Issued {
  readonly token: string
  readonly lifetime: Seconds
  readonly scope: string
  readonly refreshToken?: string
  readonly idToken?: string
  readonly authorizationDetails?: readonly JsonObject[]
  readonly type?: string
  /** `DPoP` exactly where it is bound to a DPoP key; one bound to a certificate is a `Bearer` token on the wire. RFC 9449 §5, RFC 8705 §3. */
  readonly tokenType: TokenScheme
  readonly binding: Binding
  readonly format: AccessTokenSettings['format']
}

/** What a token is bound to. */
export type Binding = 'none' | 'certificate' | 'dpop'

/**
 * Uses up what the request brought, records what must survive, and makes the tokens: the only step that writes, in one
 * store verb, all or nothing. A JWT without uses touches no store; JWTs are signed after the verb's COMMIT.
 * @throws {@link Refused} `assertion_replayed`, `dpop_replayed`, `code_used`, `refresh_token_used`, `device_code_used`, `authorization_ended`
 */
export async function issue(issuance: Issuance, context: Issuing): Promise<Issued> {
  const { grant, accessToken, authorization, idToken, type } = issuance
  requireKeys(issuance, context)
  const issued = context.now()
  const { random } = context.primitives
  const life = { jti: identifierOf(grant, random), issued, expires: issued + accessToken.lifetime }
  const handle = accessToken.format === 'reference' ? createHandle(random) : undefined
  const refreshToken = issuance.refreshToken && createHandle(random)
  const records = recordsOf(issuance, life, { handle, refreshToken })
  if (records) await record(records, context)

  const details = authorization?.authorizationDetails ?? []
  const token = handle ?? (await signAccessToken({ grant, life, details }, accessToken.algorithm, context))
  return {
    token,
    lifetime: accessToken.lifetime,
    scope: grant.scope,
    tokenType: schemeFor(grant.confirmation),
    binding: bindingOf(grant.confirmation),
    format: accessToken.format,
    ...(refreshToken !== undefined && { refreshToken }),
    ...(idToken && authorization && { idToken: await signIdToken(idToken, { grant, authorization, token }, context) }),
    ...(details.length > 0 && { authorizationDetails: details }),
    ...(type !== undefined && { type }),
  }
}

/** Uses up what an authenticated request brought that issues nothing. @throws {@link Refused} `assertion_replayed`, `dpop_replayed` */
export async function useUp(uses: readonly Use[], context: Pick<Context, 'store' | 'replay' | 'now'>): Promise<void> {
  if (uses.length > 0) await record({ uses }, context)
}

/** Uses up what a request brought that ends something: also when the disk is full. @throws {@link Refused} as {@link useUp} */
export async function useUpToEnd(uses: readonly Use[], context: Parameters<typeof useUp>[1]): Promise<void> {
  if (uses.length > 0) await record({ uses, toEnd: true }, context)
}

/** Says what a token is bound to. */
export function bindingOf(confirmation: Confirmation | undefined): Binding {
  if (!confirmation) return 'none'
  return confirmation.jkt === undefined ? 'certificate' : 'dpop'
}

/** A missing key is our mistake, and found before anything is used up. */
function requireKeys({ accessToken, idToken }: Issuance, { signer, settings }: Issuing): void {
  if (accessToken.format === 'jwt') signer.active(accessToken.algorithm)
  if (idToken) signer.active(idTokenAlgorithmOf(idToken.client, settings.accessTokens.algorithm))
}

interface Handles {
  readonly handle: string | undefined
  readonly refreshToken: string | undefined
}

/** @returns undefined where the store need not know: a JWT without uses */
function recordsOf(issuance: Issuance, life: Life, { handle, refreshToken }: Handles): Issue | undefined {
  const { grant, uses, redemptions = [], authorization } = issuance
  if (uses.length === 0 && !handle && !authorization && redemptions.length === 0) return undefined
  const referenceToken: ReferenceToken | undefined = handle
    ? { ...grant, ...life, hash: handleHash(handle) }
    : undefined
  return {
    uses,
    ...(redemptions.length > 0 && { redemptions, now: life.issued }),
    ...(authorization && { requireAuthorization: authorization.id }),
    ...(referenceToken && { referenceToken }),
    ...(issuance.refreshToken &&
      refreshToken !== undefined && { refreshToken: { ...issuance.refreshToken, hash: handleHash(refreshToken) } }),
  }
}

async function record(records: Issue, context: Pick<Context, 'store' | 'replay' | 'now'>): Promise<void> {
  const left = context.replay ? await markProofs(records, context.replay, context.now()) : records
  if (left.uses.length === 0 && Object.keys(left).every((member) => member === 'uses' || member === 'toEnd')) return
  const outcome = await context.store.issue(left)
  if (!outcome.issued) throw new Refused(reasons[outcome.lost])
}

/** Where used proofs are remembered elsewhere, that comes first: a proof may be lost to a request that fails, never the other way round. */
async function markProofs({ uses, ...records }: Issue, replay: Replay, now: Seconds): Promise<Issue> {
  for (const { kind, key, made = now, expires } of uses) {
    if (kind === 'proof') await requireFirstUse({ key, made, expires }, replay, now)
  }
  return { ...records, uses: uses.filter(({ kind }) => kind !== 'proof') }
}

/** Who lost was too late, no more: others used it up in the same moment. */
const reasons: Readonly<Record<Lost, Reason>> = {
  assertion: 'assertion_replayed',
  proof: 'dpop_replayed',
  code: 'code_used',
  refresh_token: 'refresh_token_used',
  device_code: 'device_code_used',
  authorization: 'authorization_ended',
  flow: 'flow_replayed',
  pushed_request: 'pushed_request_replayed',
}
