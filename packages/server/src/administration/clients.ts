import type { JsonObject } from '@holdfast/pop'
import type { Client } from '../model/client.ts'
import { changesOf } from '../model/client-changes.ts'
import type { Store } from '../ports/store.ts'
import { parseClient, requireClientFits, type Settings, SettingsError } from '../settings.ts'
import type { AdministrationContext } from './administration-context.ts'
import { AdministrationError } from './administration-error.ts'
import { chooseSecret, generateSecret } from './client-secret.ts'

/** A client as it is shown: whether it has a secret, never the secret or its hash. */
export interface ShownClient
  extends Omit<Client, 'client_secret' | 'client_secret_hash' | 'registration_access_token_hash'> {
  readonly hasSecret: boolean
  /** It stands in the settings and can only be changed there. */
  readonly readOnly: boolean
}

/** What becomes of a client's secret: made by us, chosen by the operator, or taken away. */
export type SecretChange = 'generate' | 'none' | { readonly chosen: string }

/** A client after a change. `secret` is there when it was generated, this once. */
export interface ChangedClient {
  readonly client: ShownClient
  readonly secret?: string
}

type Tools = Pick<AdministrationContext, 'settings' | 'store' | 'random' | 'audit' | 'onClientsChanged'>

/** Adds a client to the store. */
export async function addClient(
  { client, secret }: { readonly client: JsonObject; readonly secret?: SecretChange | undefined },
  context: Tools,
): Promise<ChangedClient> {
  const { settings, store, audit, onClientsChanged } = context
  const made = await madeSecret(secret, context)
  const parsed = fitting({ ...client, ...made.members }, context)
  const { client_id } = parsed
  const added = audit({
    event: 'client_added',
    actor: 'operator',
    client: client_id,
    details: changesOf(undefined, parsed),
  })
  if (inSettings(client_id, settings) || !(await store.audited({ verb: 'insertClient', data: parsed, audit: added }))) {
    throw new AdministrationError(
      'taken',
      `There is a client "${client_id}" already. Choose another client_id, or change it with \`holdfast client edit\`.`,
    )
  }
  onClientsChanged(client_id)
  return changed(parsed, made.shown)
}

/** All clients by client_id, those of the settings first. */
export async function listClients(
  _data: object,
  { settings, store }: Tools,
): Promise<{ readonly clients: readonly ShownClient[] }> {
  const stored = await store.listClients()
  return {
    clients: [...settings.clients.map((each) => shown(each, true)), ...stored.map((each) => shown(each, false))],
  }
}

/** One client, wherever it stands. */
export async function showClient(
  { clientId }: { readonly clientId: string },
  { settings, store }: Tools,
): Promise<{ readonly client: ShownClient }> {
  const written = inSettings(clientId, settings)
  return { client: written ? shown(written, true) : shown(known(clientId, await store.findClient(clientId)), false) }
}

/** Changes members of a client of the store; `null` takes a member away. */
export async function editClient(
  {
    clientId,
    change,
    secret,
  }: { readonly clientId: string; readonly change: JsonObject; readonly secret?: SecretChange | undefined },
  context: Tools,
): Promise<ChangedClient> {
  const { settings, store, audit, onClientsChanged } = context
  requireWritable(clientId, settings)
  const before = known(clientId, await store.findClient(clientId))
  if (change.client_id !== undefined && change.client_id !== clientId)
    throw new AdministrationError(
      'invalid',
      'client_id cannot be changed: add a client with the new one, then remove this one.',
    )
  const made = await madeSecret(secret, context)
  const merged = Object.entries({ ...before, ...change, ...made.members }).filter(([, value]) => value !== null)
  const after = fitting(Object.fromEntries(merged), context)
  const edited = audit({
    event: 'client_changed',
    actor: 'operator',
    client: clientId,
    details: changesOf(before, after),
  })
  if (!(await store.audited({ verb: 'replaceClient', data: after, audit: edited }))) throw unknown(clientId)
  onClientsChanged(clientId)
  return changed(after, made.shown)
}

/** Removes a client of the store, and its reference tokens with it. */
export async function removeClient(
  { clientId }: { readonly clientId: string },
  { settings, store, audit, onClientsChanged }: Tools,
): Promise<{ readonly removed: string }> {
  requireWritable(clientId, settings)
  const removed = audit({ event: 'client_removed', actor: 'operator', client: clientId })
  if (!(await store.audited({ verb: 'deleteClient', data: clientId, audit: removed }))) throw unknown(clientId)
  onClientsChanged(clientId)
  return { removed: clientId }
}

async function madeSecret(
  secret: SecretChange | undefined,
  { random }: Pick<Tools, 'random'>,
): Promise<{ readonly members: JsonObject; readonly shown?: string }> {
  if (secret === undefined) return { members: {} }
  if (secret === 'none') return { members: { client_secret_hash: null } }
  if (secret !== 'generate') return { members: { client_secret_hash: await chooseSecret(secret.chosen, random) } }
  const { secret: generated, hash } = generateSecret(random)
  return { members: { client_secret_hash: hash }, shown: generated }
}

function fitting(written: JsonObject, { settings }: Pick<Tools, 'settings'>): Client {
  if (written.client_secret !== undefined)
    throw new AdministrationError(
      'invalid',
      'client_secret is not stored in clear: let a secret be generated, or choose one with --secret-file.',
    )
  const client = parseClient(Object.fromEntries(Object.entries(written).filter(([, value]) => value !== null)))
  requireClientFits(client, settings)
  return client
}

function inSettings(clientId: string, { clients }: AdministrationContext['settings']): Client | undefined {
  return clients.find((each) => each.client_id === clientId)
}

function requireWritable(clientId: string, settings: AdministrationContext['settings']): void {
  if (inSettings(clientId, settings))
    throw new AdministrationError(
      'read_only',
      `The client "${clientId}" stands in the settings: change it there and start the server again.`,
    )
}

function known(clientId: string, found: Client | undefined): Client {
  if (!found) throw unknown(clientId)
  return found
}

function unknown(clientId: string): AdministrationError {
  return new AdministrationError(
    'unknown',
    `There is no client "${clientId}". \`holdfast client list\` shows those there are.`,
  )
}

function changed(client: Client, secret: string | undefined): ChangedClient {
  return { client: shown(client, false), ...(secret === undefined ? {} : { secret }) }
}

function shown(
  { client_secret, client_secret_hash, registration_access_token_hash, ...rest }: Client,
  readOnly: boolean,
): ShownClient {
  return { ...rest, hasSecret: client_secret !== undefined || client_secret_hash !== undefined, readOnly }
}

/** A client is defined in one place. @throws {@link SettingsError} */
export async function requireClientsApart({ clients }: Pick<Settings, 'clients'>, store: Store): Promise<void> {
  for (const { client_id } of clients) {
    if (await store.findClient(client_id))
      throw new SettingsError(
        `clients: "${client_id}" is in the store too. Remove it here, or with "holdfast client remove ${client_id}".`,
      )
  }
}
