import type { JsonObject } from '@holdfast/pop'
import type { UpstreamIdentity } from './upstream.ts'

/** Somebody who can sign in. */
export interface Person {
  /** Ours for ever, never reused; has a colon, so that it never meets a client's. */
  readonly subject: string
  /** What they type. */
  readonly username: string
  /** OpenID Connect Core §5.1: `name`, `email`, `email_verified`, `phone_number`, `address` ... */
  readonly claims: JsonObject
  readonly disabled: boolean
}

/** Where people are kept: the embedded directory, or an application's own. */
export interface People {
  /**
   * Judges a password. Costs the same for an unknown name.
   * @returns undefined when name or password is wrong, or the person is disabled
   * @throws Refused `person_attempts_exhausted`, `client_busy`
   */
  authenticate(username: string, password: string, address: string | undefined): Promise<Person | undefined>
  find(subject: string): Promise<Person | undefined>
  /** Whose account is linked with somebody at another provider. An application may open one here. */
  findUpstream?(identity: UpstreamIdentity): Promise<Person | undefined>
}
