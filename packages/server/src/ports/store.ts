import type { Seconds } from '@holdfast/pop'
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

/** Something that works once. Kinds do not collide. */
export interface Use {
  /** The namespace: which kind of single-use thing. */
  readonly kind: 'assertion'
  /** Base64url of a SHA-256: who and what. */
  readonly key: string
  /** Until when the use must be remembered. */
  readonly expires: Seconds
}

/** What `issue` uses up and records, all or nothing. */
export interface Issue {
  readonly uses: readonly Use[]
  readonly referenceToken?: ReferenceToken
}

/** All was recorded, or nothing because a use was lost. */
export type IssueOutcome = { readonly issued: true } | { readonly issued: false; readonly lost: Use['kind'] }

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
  /** Ends a reference token. No effect when there is none. */
  revokeReferenceToken(hash: string): Promise<void>
  /** Remembers that a JWT is revoked until it would have expired. Repeating it is harmless. */
  revokeJwt(revocation: { readonly jti: string; readonly expires: Seconds }): Promise<void>
  isJwtRevoked(jti: string): Promise<boolean>

  findClient(clientId: string): Promise<Client | undefined>
  /** By client_id. */
  listClients(): Promise<readonly Client[]>
  /** @returns false when the id is taken; nothing changes then */
  insertClient(client: Client): Promise<boolean>
  /** @returns false when there is none */
  replaceClient(client: Client): Promise<boolean>
  /** Its reference tokens go with it. @returns false when there is none */
  deleteClient(clientId: string): Promise<boolean>

  /** In the order of their making. */
  listSigningKeys(): Promise<readonly SigningKey[]>
  /** Inserts each candidate whose algorithm has no key in its stage yet. What another process inserted meanwhile stands. */
  ensureSigningKeys(candidates: readonly SigningKey[]): Promise<void>
  /** Active becomes retired until `expires`, next becomes active, `fresh` becomes next. @returns false when there is no next one */
  rotateSigningKey(rotation: {
    readonly algorithm: SigningAlgorithm
    readonly now: Seconds
    readonly expires: Seconds
    readonly fresh: SigningKey
  }): Promise<boolean>

  /** Deletes at most `limit` rows of each kind that expired before `before`. @returns how many went */
  purge(purge: { readonly before: Seconds; readonly limit: number }): Promise<number>

  close(): Promise<void>
}
