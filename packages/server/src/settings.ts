import type { Seconds } from '@holdfast/pop'
import { z } from 'zod'
import { type ClientInput, clientSchema, type Written } from './model/client.ts'
import { openidScopes } from './model/openid-scope.ts'
import { normalUsername } from './model/person.ts'
import { type accessTokensSchema, type listenerSchema, settingsSchema } from './model/settings-schema.ts'
import type { signingAlgorithms } from './model/signing-key.ts'

/** Settings that cannot be used: one sentence that names the key, what is wrong and what to write. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** The settings as they are written down. */
export type SettingsInput = Written<z.input<typeof settingsSchema>>

/** The settings, complete: what was left out has its default, and the parts agree. */
export interface Settings extends Omit<z.output<typeof settingsSchema>, 'accessTokens' | 'apis' | 'listen' | 'store'> {
  readonly accessTokens: AccessTokenSettings
  readonly apis: readonly Api[]
  readonly listen: { readonly public: Listener; readonly mutualTls?: Listener }
  readonly store: StoreSettings
  /** Where the application brings a signer: what that has keys for. */
  readonly signsWith?: readonly AccessTokenSettings['algorithm'][]
}

/** Where what must survive is kept: a file of this process, or a PostgreSQL server's database, which nodes share. */
export type StoreSettings =
  | { readonly file: string; readonly postgres?: undefined }
  | { readonly postgres: string; readonly connections: number }

/** How access tokens are made. */
export interface AccessTokenSettings {
  readonly format: 'jwt' | 'reference'
  readonly algorithm: (typeof signingAlgorithms)[number]
  readonly lifetime: Seconds
}

/** An API for which tokens are issued. */
export interface Api {
  readonly identifier: string
  readonly scopes: readonly string[]
  readonly scopeDescriptions: Readonly<Record<string, string | { readonly en: string; readonly de: string }>>
  readonly accessTokens: AccessTokenSettings
}

/** A TLS listener. `certificate` and `key` are PEM texts or files. */
export interface Listener {
  readonly port: number
  readonly host?: string
  readonly origin: string
  readonly certificate: string
  readonly key: string
}

/**
 * Parses settings that somebody wrote. Unknown and conflicting keys refuse.
 * @throws {@link SettingsError} with the first thing that is wrong
 */
export function parseSettings(written: unknown): Settings {
  const parsed = settingsSchema.safeParse(written, { reportInput: true })
  if (!parsed.success) throw new SettingsError(sentence(parsed.error.issues[0]))
  const { accessTokens, apis, listen, store, ...rest } = parsed.data
  const general = inherit(accessTokens, { format: 'jwt', algorithm: 'ES256', lifetime: 3600 })
  const settings: Settings = {
    ...rest,
    accessTokens: general,
    apis: apis.map((each) => ({ ...each, accessTokens: inherit(each.accessTokens, general) })),
    listen: listeners(rest.issuer, rest.layout, listen),
    store: storeOf(store, rest.keys),
  }
  requireAgreement(settings)
  return settings
}

/** The JSON Schema of the settings, for editors. */
export function settingsJsonSchema(): object {
  return { title: 'Holdfast settings', ...z.toJSONSchema(settingsSchema, { io: 'input', unrepresentable: 'any' }) }
}

/** Checks a client against the settings it will live with. @throws {@link SettingsError} */
export function requireClientFits(client: z.output<typeof clientSchema>, settings: Settings, where = 'client'): void {
  const scopes = new Set([...settings.apis.flatMap((each) => each.scopes), ...openidScopes])
  const unknown = client.scope.split(' ').find((scope) => scope !== '' && !scopes.has(scope))
  if (unknown !== undefined)
    throw new SettingsError(`${where}.scope: no API has the scope "${unknown}". Known: ${[...scopes].join(', ')}.`)
  if (client.trust_group !== undefined && !Object.hasOwn(settings.mutualTls.trustGroups, client.trust_group)) {
    throw new SettingsError(
      `${where}.trust_group: there is no "${client.trust_group}" under mutualTls.trustGroups. Add it there, with the file of its CA.`,
    )
  }
  const type = client.authorization_details_types.find((each) => !Object.hasOwn(settings.authorizationDetails, each))
  if (type !== undefined)
    throw new SettingsError(
      `${where}.authorization_details_types: there is no "${type}" under authorizationDetails. Add it there.`,
    )
  const host = client.jwks_uri === undefined ? undefined : new URL(client.jwks_uri).hostname
  if (host !== undefined && !settings.outbound.allow.includes(host))
    throw new SettingsError(`${where}.jwks_uri: the host ${host} is not in outbound.allow. Add it there.`)
  const algorithm = client.id_token_signed_response_alg
  const algorithms = signingAlgorithmsOf(settings)
  if (algorithm !== undefined && !algorithms.includes(algorithm))
    throw new SettingsError(
      `${where}.id_token_signed_response_alg: there is no key for ${algorithm}. Known: ${algorithms.join(', ')}.`,
    )
  const identifiers = new Set(settings.apis.map((each) => each.identifier))
  const foreign = client.introspects.find((identifier) => !identifiers.has(identifier))
  if (foreign !== undefined)
    throw new SettingsError(
      `${where}.introspects: there is no API "${foreign}". Known: ${[...identifiers].join(', ')}.`,
    )
}

type Signing = Pick<Settings, 'accessTokens' | 'apis' | 'clients' | 'registration' | 'signsWith'>

/**
 * The algorithms for which there are keys to sign with: what is asked for, and RS256 where somebody may want an ID token,
 * since OpenID Connect Discovery §3 asks for it. An application's own signer has what it has.
 */
export function signingAlgorithmsOf(settings: Signing): readonly AccessTokenSettings['algorithm'][] {
  const { clients, registration, signsWith } = settings
  if (signsWith) return signsWith
  const openid = registration !== undefined || clients.some(({ scope }) => scope.split(' ').includes('openid'))
  return [...new Set([...askedAlgorithmsOf(settings), ...(openid ? (['RS256'] as const) : [])])]
}

/** The algorithms that somebody asks for by name. */
export function askedAlgorithmsOf({
  accessTokens: general,
  apis,
  clients,
}: Pick<Signing, 'accessTokens' | 'apis' | 'clients'>): readonly AccessTokenSettings['algorithm'][] {
  const ofApis = apis.map((each) => each.accessTokens.algorithm)
  const ofClients = clients.flatMap((each) => each.id_token_signed_response_alg ?? [])
  return [...new Set([general.algorithm, ...ofApis, ...ofClients])]
}

/** Parses one client. @throws {@link SettingsError} */
export function parseClient(written: unknown, where = 'client'): z.output<typeof clientSchema> {
  const parsed = clientSchema.safeParse(written, { reportInput: true })
  if (!parsed.success) throw new SettingsError(sentence(parsed.error.issues[0], where))
  return parsed.data
}

export type { ClientInput }

function inherit(given: z.output<typeof accessTokensSchema>, from: AccessTokenSettings): AccessTokenSettings {
  const { format = from.format, algorithm = from.algorithm, lifetime: seconds = from.lifetime } = given
  return { format, algorithm, lifetime: seconds }
}

function storeOf(
  { file, postgres, connections }: z.output<typeof settingsSchema>['store'],
  { encryptionKey }: Settings['keys'],
): StoreSettings {
  if (postgres === undefined) {
    if (connections !== undefined) throw new SettingsError('store.connections: is for store.postgres only. Remove it.')
    return { file: file ?? 'holdfast.db' }
  }
  if (file !== undefined) throw new SettingsError('store.file: stands beside store.postgres. Give one.')
  if (encryptionKey === undefined)
    throw new SettingsError(
      'keys.encryptionKey: is missing. With store.postgres all nodes need the same: write the file that holds 32 bytes in base64url.',
    )
  return { postgres, connections: connections ?? 10 }
}

function listeners(
  issuer: string,
  layout: 'port' | 'single',
  { public: first, mutualTls }: z.output<typeof settingsSchema>['listen'],
): Settings['listen'] {
  const { certificate, key } = first
  if (certificate === undefined || key === undefined) {
    throw new SettingsError(
      'listen.public: certificate and key are missing. Write the PEM files of the server certificate and its key.',
    )
  }
  const open = complete(first, new URL(issuer).origin, certificate, key)
  if (layout === 'single') {
    if (mutualTls)
      throw new SettingsError('listen.mutualTls: layout "single" has one listener. Remove it, or write layout: port.')
    return { public: open }
  }
  if (!mutualTls)
    throw new SettingsError(
      'listen.mutualTls: layout "port" needs a second listener. Write its port, such as { port: 5002 }, or layout: single.',
    )
  const origin = new URL(issuer)
  origin.port = String(mutualTls.port)
  return {
    public: open,
    mutualTls: complete(mutualTls, origin.origin, mutualTls.certificate ?? certificate, mutualTls.key ?? key),
  }
}

function complete(
  { port: number, host, origin }: z.output<typeof listenerSchema>,
  fallback: string,
  certificate: string,
  key: string,
): Listener {
  return { port: number, ...(host === undefined ? {} : { host }), origin: origin ?? fallback, certificate, key }
}

function requireAgreement(settings: Settings): void {
  const { listen, apis, clients } = settings
  if (listen.mutualTls?.port === listen.public.port)
    throw new SettingsError('listen.mutualTls.port: is the port of listen.public. Write another.')
  for (const { origin } of [listen.public, ...(listen.mutualTls ? [listen.mutualTls] : [])]) {
    if (new URL(origin).origin !== origin)
      throw new SettingsError(`listen: origin "${origin}" has a path. Write ${new URL(origin).origin}.`)
  }
  requireDistinct(
    apis.map((each) => each.identifier),
    'apis',
    'identifier',
  )
  requireDistinct(
    clients.map((each) => each.client_id),
    'clients',
    'client_id',
  )
  for (const [index, client] of clients.entries()) requireClientFits(client, settings, `clients[${index}]`)
  for (const [index, { scopes, scopeDescriptions }] of apis.entries()) {
    const foreign = Object.keys(scopeDescriptions).find((scope) => !scopes.includes(scope))
    if (foreign !== undefined)
      throw new SettingsError(
        `apis[${index}].scopeDescriptions: "${foreign}" is no scope of the API. Correct its name.`,
      )
  }
  if (settings.replay.cluster && settings.replay.redis === undefined)
    throw new SettingsError('replay.cluster: is for replay.redis. Write the nodes there, or remove it.')
  if (settings.replay.redis && settings.replay.redis.length > 1 && !settings.replay.cluster)
    throw new SettingsError('replay.redis: several servers are a cluster. Set replay.cluster: true, or name one.')
  requireRegistration(settings)
  requirePeople(settings)
}

function requireRegistration({ registration, apis, mutualTls }: Settings): void {
  if (!registration) return
  const scopes = apis.flatMap((each) => each.scopes)
  const unknown = registration.scopes.find((scope) => !scopes.includes(scope))
  if (unknown !== undefined)
    throw new SettingsError(`registration.scopes: no API has the scope "${unknown}". Known: ${scopes.join(', ')}.`)
  if (registration.trustGroup !== undefined && !Object.hasOwn(mutualTls.trustGroups, registration.trustGroup))
    throw new SettingsError(
      `registration.trustGroup: there is no "${registration.trustGroup}" under mutualTls.trustGroups. Add it there.`,
    )
}

function requirePeople({ issuer, people: { directory, upstream: providers } }: Settings): void {
  requireDistinct(
    providers.map((each) => each.id),
    'people.upstream',
    'id',
  )
  requireDistinct(
    directory.flatMap((each) => each.upstream.map(({ issuer: from, sub }) => JSON.stringify([from, sub]))),
    'people.directory',
    'upstream',
  )
  requireDistinct(
    directory.map((each) => normalUsername(each.username) ?? ''),
    'people.directory',
    'username',
  )
  requireDistinct(
    directory.flatMap((each) => each.subject ?? []),
    'people.directory',
    'subject',
  )
  const clear = directory.findIndex((each) => each.password !== undefined)
  if (clear >= 0 && !isLoopback(new URL(issuer)))
    throw new SettingsError(
      `people.directory[${clear}].password: is in clear, which is for an issuer on localhost only. Write password_hash.`,
    )
}

function isLoopback({ hostname }: URL): boolean {
  return /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
}

function requireDistinct(values: readonly string[], list: string, member: string): void {
  const second = values.findIndex((value, index) => values.indexOf(value) !== index)
  if (second >= 0)
    throw new SettingsError(`${list}[${second}].${member}: "${values[second]}" stands there twice. Give each its own.`)
}

function sentence(issue: z.core.$ZodIssue | undefined, where = ''): string {
  if (!issue) return 'The settings cannot be read.'
  const path = [...(where ? [where] : []), ...issue.path].reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${String(part)}` : String(part)),
    '',
  )
  if (issue.code === 'unrecognized_keys')
    return `${path ? `${path}: ` : ''}there is no setting "${issue.keys[0]}". Remove it or correct its name.`
  if (issue.code === 'invalid_type' && issue.input === undefined)
    return `${path || 'settings'}: is missing. Write ${kinds[issue.expected] ?? issue.expected}.`
  if (issue.code === 'invalid_type')
    return `${path || 'settings'}: is ${kindOf(issue.input)}, and must be ${kinds[issue.expected] ?? issue.expected}.`
  if (issue.code === 'invalid_value')
    return `${path}: must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}.`
  return `${path || 'settings'}: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}.`
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}

/** Names what was written, never its text: that may be a secret. */
function kindOf(value: unknown): string {
  const kind = Array.isArray(value) ? 'array' : typeof value
  return value === null ? 'empty' : (kinds[kind] ?? kind)
}
