import { createHmac } from 'node:crypto'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'

/**
 * What a client knows a person as: in ID tokens, at UserInfo, and in access tokens, which the client could read.
 * OpenID Connect Core §8.
 */
export function subjectFor(client: Client, subject: string, { pairwise }: Pick<Context, 'pairwise'>): string {
  return client.subject_type === 'pairwise' ? pairwise(sectorOf(client), subject) : subject
}

/** Creates the function that makes pairwise subjects, under a key that is used for nothing else. */
export function createPairwise(key: Uint8Array): Context['pairwise'] {
  return (sector, subject) =>
    `pair:${createHmac('sha256', key)
      .update(JSON.stringify([sector, subject]))
      .digest('base64url')}`
}

/**
 * The one host of a client's redirect URIs on the web, or the client alone. OpenID Connect Core §8.1. What a client wrote
 * into its own registration may be the host of another, and needs no code there: it has device codes and refresh tokens.
 */
function sectorOf({ client_id, application_type, redirect_uris, registration_access_token_hash }: Client): string {
  if (registration_access_token_hash !== undefined) return client_id
  const hosts = new Set(redirect_uris.map((uri) => (URL.canParse(uri) ? new URL(uri).host : '')))
  const [host] = hosts
  return application_type === 'web' && hosts.size === 1 && host ? host : client_id
}
