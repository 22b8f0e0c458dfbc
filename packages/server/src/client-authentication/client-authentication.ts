import type { Inbound } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AuthenticatedClient } from '../model/authenticated-client.ts'
import type { Client } from '../model/client.ts'
import type { Use } from '../ports/store.ts'
import type { Credentials } from './credentials.ts'

/** A way of client authentication. Metadata and registration name it by `methods`. */
export interface ClientAuthentication {
  readonly methods: readonly string[]
  /** Which credentials it takes. */
  readonly takes: Credentials['kind']
  /** @returns what the authentication would use up @throws Refused */
  verify(attempt: Attempt, context: Context): Promise<readonly Use[]> | readonly Use[]
}

/** Credentials that claim to be a client's. */
export interface Attempt {
  readonly client: Client
  readonly credentials: Credentials
  readonly inbound: Inbound
}

/** Who sends the request, and what showing it would use up. */
export interface Authenticated extends AuthenticatedClient {
  /** To be used up when everything else has been judged. */
  readonly uses: readonly Use[]
}
