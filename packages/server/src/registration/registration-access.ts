import { equalInConstantTime, type Inbound, Refused } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'
import { handleHash } from '../tokens/handle.ts'

/** Under which name wrong tokens are counted: no client has one with a colon. */
const counted = 'registration:'

/**
 * Finds that whoever registers a client was given an initial access token by the operator. RFC 7591 §3.
 * @returns by which of those in the settings one knows it: the beginning of its hash
 * @throws {@link Refused} `registration_token_wrong`, `registrations_exhausted`, `token_missing`, `token_repeated`, `client_attempts_exhausted`
 */
export async function requireInitialAccess(
  inbound: Inbound,
  { settings, attempts, registrations }: Context,
): Promise<string> {
  const shown = `sha256:${handleHash(requireBearer(inbound, attempts))}`
  const [known] = (settings.registration?.initialAccessTokens ?? []).filter((each) => equalInConstantTime(shown, each))
  await settle(known, inbound, attempts)
  await registrations.take(shown, inbound.address)
  return shown.slice(0, 'sha256:'.length + 8)
}

/** A client that manages its own registration, and the token that it showed. */
export interface Managed {
  readonly client: Client
  readonly token: string
}

/**
 * Finds the client whose registration access token a request shows. One that the operator registered has none, and a
 * disabled one cannot help itself; all the wrong ones look the same. RFC 7592 §2.
 * @throws {@link Refused} `registration_token_wrong`, `token_missing`, `token_repeated`, `client_attempts_exhausted`
 */
export async function requireManaged(
  inbound: Inbound,
  clientId: string | undefined,
  { store, attempts }: Context,
): Promise<Managed> {
  const token = requireBearer(inbound, attempts)
  const client = clientId === undefined ? undefined : await store.findClient(clientId)
  const expected = client?.registration_access_token_hash ?? ''
  const managed = equalInConstantTime(handleHash(token), expected) && client?.disabled === false ? client : undefined
  return { client: await settle(managed, inbound, attempts), token }
}

/** RFC 6750 §2.1. */
function requireBearer({ headers, address }: Inbound, attempts: Context['attempts']): string {
  attempts.requireLeft(counted, address)
  const [header, second] = headers.authorization ?? []
  if (header === undefined) throw new Refused('token_missing')
  if (second !== undefined) throw new Refused('token_repeated')
  const [, token] = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(header) ?? []
  if (token === undefined) throw new Refused('token_scheme_unknown', { expected: 'Bearer' })
  return token
}

/** @throws {@link Refused} `registration_token_wrong`, `client_attempts_exhausted` */
async function settle<Found>(
  found: Found | undefined,
  { address }: Inbound,
  attempts: Context['attempts'],
): Promise<Found> {
  await attempts.settle(counted, address, found === undefined ? 'wrong' : 'right')
  if (found === undefined) throw new Refused('registration_token_wrong')
  return found
}
