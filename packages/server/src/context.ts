import type { Awaitable, Clock, DpopContext, JsonObject, Primitives, Replay } from '@holdfast/pop'
import type { AuditEntry, AuditStamp } from './model/audit.ts'
import type { Client } from './model/client.ts'
import type { People } from './ports/people.ts'
import type { Report } from './ports/report.ts'
import type { Signer } from './ports/signer.ts'
import type { Store } from './ports/store.ts'
import type { Upstream } from './ports/upstream.ts'
import type { Settings } from './settings.ts'

/** What a running server hands to everything below its adapters. */
export interface Context {
  readonly settings: Settings
  readonly now: Clock
  readonly primitives: Primitives
  readonly store: Store
  readonly signer: Signer
  /** Clients of the settings and of the store, kept in memory. */
  readonly clients: Clients
  readonly trust: Trust
  readonly secrets: Secrets
  readonly people: People
  /** Other providers at which they can sign in. */
  readonly upstreams: readonly Upstream[]
  /** Fetches a client's `jwks_uri`, or gives what was fetched lately. Rejects when it cannot be had. */
  readonly fetchKeys: (uri: string, options?: { readonly fresh?: boolean }) => Promise<JsonObject>
  /** What checking DPoP proofs needs. */
  readonly dpop: DpopContext
  /** Where used proofs are remembered, unless it is the store. */
  readonly replay?: Replay
  /** Proofs that clients have shown, right or wrong. */
  readonly proofs: Attempts
  /** Failed client authentications. */
  readonly attempts: Attempts
  /** Introspected tokens that were not active. */
  readonly guesses: Attempts
  /** Wrong clients and verifiers, by code. */
  readonly codeTries: Attempts
  /** User codes that no device shows. */
  readonly userCodeGuesses: Attempts
  /** Registrations, by initial access token. */
  readonly registrations: Attempts
  /** Requests of a client that has authenticated, where the settings limit them. */
  readonly clientRequests?: Attempts
  /** Requests from an address, where the settings limit them. */
  readonly addressRequests?: Attempts
  /** What somebody unknown begins, by address: each leaves a row for minutes. */
  readonly starts: Attempts
  /** What a sector sees instead of a subject. OpenID Connect Core §8.1. */
  readonly pairwise: (sector: string, subject: string) => string
  /** Makes an entry of the audit log, to be recorded by the store together with what it tells of. */
  readonly audit: (entry: AuditEntry) => AuditStamp
  readonly report: (report: Report) => void
}

/** Finds clients. */
export interface Clients {
  find(clientId: string): Awaitable<Client | undefined>
  /** The origins of all whose scripts may call us, but for clients that are disabled. */
  webOrigins(): Awaitable<ReadonlySet<string>>
  /** Reads the store again: after a change. */
  forget(): void
}

/** Says whether a chain of certificates leads to a trust group. RFC 8705 §2.1. */
export interface Trust {
  /** @throws Refused `client_certificate_path`, `client_certificate_purpose`, `client_certificate_revoked` */
  verifyPath(group: string, chain: readonly string[], now: number): Promise<void>
}

/** Compares presented secrets with registered ones, at a bounded cost. */
export interface Secrets {
  /** @throws Refused `client_busy` */
  matches(client: Client | undefined, presented: string): Awaitable<boolean>
}

/** Counts wrong guesses by name and address, bounded; or, by `take`, what may be had only so often. */
export interface Attempts {
  /** Counts one, unless none is left. @throws Refused as {@link Attempts.requireLeft} */
  take(name: string, address: string | undefined): Awaitable<void>
  /** Before a guess costs anything. @throws Refused for the reason that belongs to what is counted: `client_attempts_exhausted`, `dpop_proofs_exhausted` */
  requireLeft(name: string, address: string | undefined): void
  /**
   * Before anybody is told how a guess turned out, or could tell: many are made at once, and only as many are answered
   * as are left, right or wrong. A wrong one is counted on every node when it answers.
   * @throws Refused as {@link Attempts.requireLeft}
   */
  settle(name: string, address: string | undefined, outcome: 'right' | 'wrong'): Promise<void>
}
