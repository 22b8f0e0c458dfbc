import type { Seconds } from '@holdfast/pop'
import type { AuditHead, AuditRecord, AuditStamp } from '../model/audit.ts'
import type {
  Authorization,
  AuthorizationCode,
  DeviceAuthorization,
  Flow,
  PushedRequest,
  RefreshToken,
  Session,
} from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import type { ReferenceToken } from '../model/reference-token.ts'
import type { SigningAlgorithm, SigningKey } from '../model/signing-key.ts'

/**
 * The store cannot answer now: the disk is full, too many callers wait, or the database has failed. Nothing was
 * acknowledged; what was asked may have happened all the same, so only what can be repeated is tried again.
 */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}

/** Something that works once, remembered by us until it could no longer pass. Kinds do not collide. */
export interface Use {
  /** The namespace: which kind of single-use thing. */
  readonly kind: 'assertion' | 'proof'
  /** Base64url of a SHA-256: who and what. */
  readonly key: string
  /** Until when the use must be remembered. */
  readonly expires: Seconds
  /** When it was made: of a proof. */
  readonly made?: Seconds
}

/**
 * A record of ours that is used up, by the hash that it is stored under. It must be there, unused, not expired at `now`,
 * and its authorization, where it has one, not revoked; else the use is lost. A `flow` takes the pushed request that it
 * came from with it, however old that is by now: do not name both. A `device_code` must be approved. A `refresh_token`
 * is used up only where it is replaced (rotation): `refreshToken` then follows it as the next generation; one that
 * stays needs no use, but its authorization must not be revoked: `requireAuthorization`.
 */
export interface Redemption {
  readonly kind: 'code' | 'refresh_token' | 'pushed_request' | 'flow' | 'device_code'
  readonly hash: string
}

/** What `issue` uses up and records, all or nothing. */
export interface Issue {
  readonly uses: readonly Use[]
  /** They come with a request that ends something, and records nothing: let through when the disk is full. */
  readonly toEnd?: true
  readonly redemptions?: readonly Redemption[]
  /** The moment at which redemptions are judged. They need it. */
  readonly now?: Seconds
  /**
   * Must exist and not be revoked when the transaction commits; locked against a revocation at the same time. The same
   * holds unasked for the authorization of each record: a JWT, which is none, needs to say it here.
   */
  readonly requireAuthorization?: string
  readonly authorization?: Authorization
  readonly code?: AuthorizationCode
  readonly refreshToken?: RefreshToken
  readonly referenceToken?: ReferenceToken
  readonly session?: Session
}

/** What was not there to be used up any more, or `authorization`: unknown or revoked. */
export type Lost = Use['kind'] | Redemption['kind'] | 'authorization'

/** All was recorded, or nothing because something was lost. */
export type IssueOutcome = { readonly issued: true } | { readonly issued: false; readonly lost: Lost }

/** The changes that go together with an entry of the audit log, when they change something. */
export type AuditedName =
  | 'insertClient'
  | 'replaceClient'
  | 'deleteClient'
  | 'rotateSigningKey'
  | 'revokeSigningKey'
  | 'reseal'
  | 'revokeJwt'
  | 'revokeReferenceToken'
  | 'revokeAuthorization'
  | 'decideDevice'
  | 'rememberConsent'
  | 'endAll'
  | 'insertSession'
  | 'replaceSession'
  | 'deleteSession'

/** A change and what the audit log says of it. */
export interface Audited<Name extends AuditedName = AuditedName> {
  readonly verb: Name
  readonly data: Parameters<Store[Name]>[0]
  readonly audit: AuditStamp
}

/** Clocks of nodes differ: a window that another one has begun may end so much later than one that begins here. */
export const toleratedAhead: Seconds = 5

/** How often something was counted of late. */
export interface Count {
  /** Who and what is counted. */
  readonly key: string
  readonly count: number
  /** When its window ends: then counting begins again. */
  readonly until: Seconds
}

/** Something sealed again, under another key. What is no longer sealed as it was in `from` stays as it is. */
export interface Resealed {
  readonly from: string
  readonly sealed: string
}

/**
 * What survives. Each method is one atomic change or one read; data in and data out are plain, so that they cross a
 * thread. A method that changes something answers after its COMMIT. A method that rejects has changed nothing that
 * the caller may rely on, and may be tried again.
 */
export interface Store {
  /** Marks the uses and inserts the records in one transaction. Exactly one of many concurrent callers wins a use. */
  issue(issue: Issue): Promise<IssueOutcome>

  /** Absent when unknown. Expired ones may still be found until they are purged. */
  findReferenceToken(hash: string): Promise<ReferenceToken | undefined>
  /** Ends a reference token. @returns false when there is none */
  revokeReferenceToken(hash: string): Promise<boolean>
  /** Remembers that a JWT is revoked until it would have expired. @returns false when it was so already */
  revokeJwt(revocation: { readonly jti: string; readonly expires: Seconds }): Promise<boolean>
  /** Also true of what was issued before the database was last restored from a backup. */
  isJwtRevoked(token: { readonly jti: string; readonly issued: Seconds }): Promise<boolean>
  /**
   * Takes a signing key away at once: nothing that it signed can be verified any more. Was it active, the next one is so
   * now; was it active or next, `fresh` becomes next. @returns false when there is no such key
   */
  revokeSigningKey(revocation: {
    readonly kid: string
    readonly now: Seconds
    /** Of the same algorithm. */
    readonly fresh: SigningKey
  }): Promise<boolean>
  /** Ends whatever is under way: after a restore nobody knows what of it was used up and revoked. */
  endAll(end: { readonly now: Seconds }): Promise<void>

  insertPushedRequest(request: PushedRequest): Promise<void>
  /** Not judged: expiry and client are the caller's. Absent when unknown or used up. */
  findPushedRequest(hash: string): Promise<PushedRequest | undefined>
  insertFlow(flow: Flow): Promise<void>
  /** Absent when unknown or used up. */
  findFlow(hash: string): Promise<Flow | undefined>
  insertSession(session: Session): Promise<void>
  findSession(hash: string): Promise<Session | undefined>
  /** A new id for the same person: the old one is dead when this answers. */
  replaceSession(replacement: { readonly old: string; readonly session: Session }): Promise<void>
  /** @returns false when there is none */
  deleteSession(hash: string): Promise<boolean>

  /** Redeemed ones too, until they are purged. */
  findCode(hash: string): Promise<AuthorizationCode | undefined>
  /** Replaced ones too, until they are purged. */
  findRefreshToken(hash: string): Promise<RefreshToken | undefined>
  /** Absent when unknown or revoked. */
  findAuthorization(id: string): Promise<Authorization | undefined>
  /**
   * Ends the whole family: refresh tokens, reference tokens, and JWTs at introspection.
   * @returns false when there is none, or it has ended already
   */
  revokeAuthorization(revocation: { readonly id: string; readonly now: Seconds }): Promise<boolean>

  /** @returns false when its user code is that of one that has not expired; nothing changes then */
  insertDeviceAuthorization(device: DeviceAuthorization): Promise<boolean>
  findDeviceAuthorization(
    by: { readonly hash: string } | { readonly userCodeHash: string },
  ): Promise<DeviceAuthorization | undefined>
  /** One atomic answer of the person: from pending only, before it expires. @returns false when it was too late; nothing changes then */
  decideDevice(decision: {
    readonly userCodeHash: string
    readonly now: Seconds
    readonly authorization?: Authorization
  }): Promise<boolean>
  /** Notes a poll. @returns seconds since the one before, undefined at the first, and for a device that is unknown */
  pollDevice(poll: { readonly hash: string; readonly now: Seconds }): Promise<Seconds | undefined>

  /** What a person consented to for a client: the scopes and authorization details, remembered. */
  findConsent(of: { readonly subject: string; readonly clientId: string }): Promise<string | undefined>
  rememberConsent(consent: {
    readonly subject: string
    readonly clientId: string
    readonly scope: string
  }): Promise<void>

  findClient(clientId: string): Promise<Client | undefined>
  /** By client_id. */
  listClients(): Promise<readonly Client[]>
  /** The `web_origins` of all clients that are not disabled, some perhaps twice. */
  listWebOrigins(): Promise<readonly string[]>
  /** @returns false when the id is taken; nothing changes then */
  insertClient(client: Client): Promise<boolean>
  /** @returns false when there is none */
  replaceClient(client: Client): Promise<boolean>
  /** Its tokens, authorizations, flows and all else that was made for it go with it. @returns false when there is none */
  deleteClient(clientId: string): Promise<boolean>

  /** In the order of their making. */
  listSigningKeys(): Promise<readonly SigningKey[]>
  /** Inserts each candidate whose algorithm has no key in its stage yet. What another process inserted meanwhile stands. */
  ensureSigningKeys(candidates: readonly SigningKey[]): Promise<void>
  /**
   * Active becomes retired until `expires`, next becomes active, `fresh` becomes next. @returns false when there is no
   * next one, or the active one has become so after `since`: another node has rotated it
   */
  rotateSigningKey(rotation: {
    readonly since?: Seconds
    readonly algorithm: SigningAlgorithm
    readonly now: Seconds
    readonly expires: Seconds
    readonly fresh: SigningKey
  }): Promise<boolean>

  /**
   * Makes a change and records it in the audit log, in one transaction. A change that answers `false` leaves no entry.
   * @returns what the change answers
   */
  audited<Name extends AuditedName>(change: Audited<Name>): Promise<Awaited<ReturnType<Store[Name]>>>
  /** Records what happened. Rejects where the chain of the node does not end as it should: nobody has anything to add to it. */
  recordAudit(stamp: AuditStamp): Promise<void>
  /** The links of one node's chain after a number, at most `limit`, in their order. */
  listAudit(part: {
    readonly node: string
    readonly after: number
    readonly limit: number
  }): Promise<readonly AuditRecord[]>
  /** The end of each node's chain, by node. Links whose chain has no end any more have one of number 0 without a seal. */
  listAuditHeads(): Promise<readonly AuditHead[]>

  /** Keeps a server secret, sealed, unless there is one. @returns the one that is kept */
  ensureSecret(secret: { readonly sealed: string }): Promise<string>
  /** Replaces what is sealed under an old encryption key. @returns how many were replaced */
  reseal(change: {
    readonly keys: readonly (Resealed & { readonly kid: string })[]
    readonly secret?: Resealed
  }): Promise<number>

  /**
   * Adds to counts that nodes share; one whose window is over begins anew, in the window that is given.
   * @returns the counts after it, in the same order
   */
  count(counting: { readonly now: Seconds; readonly counts: readonly Count[] }): Promise<readonly Count[]>

  /**
   * Deletes at most `limit` rows of each kind that expired before `before`. What is needed longer stays longer: a code
   * for a day, a replaced refresh token until its family expires, an authorization for a day, and for what follows from
   * it. @returns how many went
   */
  purge(purge: { readonly before: Seconds; readonly limit: number }): Promise<number>

  /** Has somebody told when other processes may have changed clients or signing keys. Never called by a store of one process. */
  watch(listener: () => void): void
  close(): Promise<void>
}
