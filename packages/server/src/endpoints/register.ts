import { equalInConstantTime, type Inbound, type JsonObject, Refused, refusals, renderChallenge } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AuditEvent, AuditStamp } from '../model/audit.ts'
import type { Client } from '../model/client.ts'
import { changesOf } from '../model/client-changes.ts'
import {
  type Beside,
  MetadataRefused,
  operatorMembers,
  parseClientMetadata,
  renderClientMetadata,
} from '../registration/client-metadata.ts'
import { requireInitialAccess, requireManaged } from '../registration/registration-access.ts'
import type { Settings } from '../settings.ts'
import { createHandle, handleHash } from '../tokens/handle.ts'
import { behindIssuer, type Endpoint, type Outbound, queryOf, uncacheable } from './endpoint.ts'
import { renderRefusal } from './refusal.ts'

const registerPaths = behindIssuer('/register')

/** What no client sends back. RFC 7592 §2.2. */
const serverMembers = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
]

/**
 * Where clients register themselves with an initial access token of the operator, and manage that with a token of their
 * own. Not there unless the settings open it. RFC 7591, RFC 7592.
 */
export const register: Endpoint = {
  paths: (settings) => (settings.registration ? registerPaths(settings) : []),
  methods: ['POST', 'GET', 'PUT', 'DELETE'],
  takes: 'json',
  address: 'registration_endpoint',
  aliased: true,
  renderRefusal: renderRegistrationRefusal,
  async handle(inbound, context) {
    switch (inbound.method) {
      case 'POST':
        return await create(inbound, context)
      case 'PUT':
        return await update(inbound, context)
      case 'DELETE':
        return await remove(inbound, context)
      default:
        return await read(inbound, context)
    }
  },
}

async function create(inbound: Inbound, context: Context): Promise<Outbound> {
  const { store, settings, primitives } = context
  const access = await requireInitialAccess(inbound, context)
  if (inbound.url.includes('?')) throw new Refused('parameter_in_query')
  const handle = () => createHandle(primitives.random)
  const [client_id, token, secret] = [handle(), handle(), handle()]
  const client = parseClientMetadata(
    bodyOf(inbound),
    (method) => ({
      client_id,
      registration_access_token_hash: handleHash(token),
      ...secretMember(method, secretHash(secret)),
      ...trustMember(method, settings),
    }),
    settings,
  )
  const details = { ...changesOf(undefined, client), initial_access_token: access }
  const added = told('client_added', { inbound, client, details }, context)
  if (!(await store.audited({ verb: 'insertClient', data: client, audit: added })))
    throw new Error('a random client_id was taken')
  return respond(201, { client, token, ...(hasSecret(client) && { secret }) }, settings)
}

async function read(inbound: Inbound, context: Context): Promise<Outbound> {
  return respond(200, await requireManaged(inbound, clientIdOf(inbound), context), context.settings)
}

/** What is left out is taken away; a secret stays, comes new where there was none, and goes where none is needed. RFC 7592 §2.2. */
async function update(inbound: Inbound, context: Context): Promise<Outbound> {
  const { store, clients, settings, primitives } = context
  const { client: before, token } = await requireManaged(inbound, clientIdOf(inbound), context)
  // Each change is recorded for good, and the other nodes forget their clients.
  await context.registrations.take(before.client_id, undefined)
  const body = bodyOf(inbound)
  requireSame(body, before)
  const fresh = hasSecret(before) ? undefined : createHandle(primitives.random)
  const besideOf = (method: unknown): Beside => ({
    ...operatorMembers(before),
    client_id: before.client_id,
    ...secretMember(method, fresh === undefined ? before.client_secret_hash : secretHash(fresh)),
    ...trustMember(method, settings),
  })
  const client = parseClientMetadata(body, besideOf, settings)
  const edited = told('client_changed', { inbound, client, details: changesOf(before, client) }, context)
  if (!(await store.audited({ verb: 'replaceClient', data: client, audit: edited })))
    throw new Refused('registration_token_wrong')
  clients.forget()
  return respond(200, { client, token, ...(fresh !== undefined && hasSecret(client) && { secret: fresh }) }, settings)
}

/** Its tokens go with it. RFC 7592 §2.3. */
async function remove(inbound: Inbound, context: Context): Promise<Outbound> {
  const { client } = await requireManaged(inbound, clientIdOf(inbound), context)
  const removed = told('client_removed', { inbound, client }, context)
  await context.store.audited({ verb: 'deleteClient', data: client.client_id, audit: removed })
  context.clients.forget()
  return { status: 204, headers: { 'cache-control': 'no-store', pragma: 'no-cache' }, body: '' }
}

/** Who registers is known by its initial access token only; after that the client speaks for itself. */
function told(
  event: AuditEvent,
  { inbound: { address }, client: { client_id: client }, details }: Registered,
  { audit }: Context,
): AuditStamp {
  return audit({
    event,
    ...(event !== 'client_added' && { actor: `client:${client}` }),
    client,
    ...(address !== undefined && { address }),
    ...(details && { details }),
  })
}

interface Registered {
  readonly inbound: Inbound
  readonly client: Client
  readonly details?: Readonly<Record<string, string>>
}

function clientIdOf(inbound: Inbound): string | undefined {
  return queryOf(inbound).one('client_id')
}

function bodyOf({ json }: Inbound): JsonObject {
  if (!json) throw new Refused('body_not_json')
  return json
}

/** The client says which one it is; its secret it may repeat, not choose. RFC 7592 §2.2. */
function requireSame(body: JsonObject, { client_id, client_secret_hash }: Client): void {
  if (body.client_id !== client_id)
    throw new MetadataRefused('client_metadata_invalid', 'client_id: must be that of the registration')
  const ours = serverMembers.find((member) => body[member] !== undefined)
  if (ours !== undefined) throw new MetadataRefused('client_metadata_invalid', `${ours}: is not the client's to send`)
  const { client_secret: repeated } = body
  if (repeated === undefined || repeated === null) return
  if (typeof repeated !== 'string' || !equalInConstantTime(secretHash(repeated), client_secret_hash ?? ''))
    throw new MetadataRefused('client_metadata_invalid', 'client_secret: is not the one that was issued')
}

function secretMember(method: unknown, hash: string | undefined): Partial<Beside> {
  return (method === 'client_secret_basic' || method === 'client_secret_post') && hash !== undefined
    ? { client_secret_hash: hash }
    : {}
}

function trustMember(method: unknown, { registration }: Settings): Partial<Beside> {
  return method === 'tls_client_auth' && registration?.trustGroup !== undefined
    ? { trust_group: registration.trustGroup }
    : {}
}

function hasSecret({ client_secret_hash }: Client): boolean {
  return client_secret_hash !== undefined
}

function secretHash(secret: string): string {
  return `sha256:${handleHash(secret)}`
}

/** The client information response. A secret is in it once, when it is made. RFC 7591 §3.2.1, RFC 7592 §3. */
function respond(
  status: number,
  { client, token, secret }: { readonly client: Client; readonly token: string; readonly secret?: string },
  settings: Settings,
): Outbound {
  const { origin } = new URL(settings.issuer)
  const information = {
    ...renderClientMetadata(client),
    ...(secret !== undefined && { client_secret: secret, client_secret_expires_at: 0 }),
    registration_access_token: token,
    registration_client_uri: `${origin}${registerPaths(settings)[0]}?client_id=${encodeURIComponent(client.client_id)}`,
  }
  return { status, headers: uncacheable, body: JSON.stringify(information) }
}

/** As for any protected resource, and with the member that is wrong. RFC 6750 §3, RFC 7591 §3.2.2. */
function renderRegistrationRefusal(refused: Refused, _: Pick<Inbound, 'headers'>, { issuer }: Settings): Outbound {
  const { error, says } = refusals[refused.reason]
  if (refused instanceof MetadataRefused) {
    return { ...renderRefusal(refused), body: JSON.stringify({ error, error_description: refused.detail }) }
  }
  if (error !== 'token_missing' && error !== 'invalid_token') return renderRefusal(refused)
  const challenge = renderChallenge('Bearer', {
    realm: issuer,
    ...(error === 'token_missing' ? {} : { error, error_description: says }),
  })
  return { ...renderRefusal(refused), status: 401, headers: { ...uncacheable, 'www-authenticate': challenge } }
}
