import type { Client } from './client.ts'

/** A client, and how it showed that it is the one. */
export interface AuthenticatedClient {
  readonly client: Client
  readonly authentication: 'secret' | 'assertion' | 'certificate' | 'none'
}
