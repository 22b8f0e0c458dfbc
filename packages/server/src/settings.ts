import type { JsonObject, Seconds } from '@holdfast/pop'
import { z } from 'zod'
import { type ClientInput, clientSchema, type Written } from './model/client.ts'
import { openidScopes } from './model/openid-scope.ts'
import { normalUsername, personSchema } from './model/person.ts'
import { signingAlgorithms } from './model/signing-key.ts'

/** Settings that cannot be used: one sentence that names the key, what is wrong and what to write. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

const file = z.string().min(1)
const pem = file.describe('A PEM file, relative to the settings, or the PEM text itself.')
const port = z.int().min(1).max(65_535)

const httpsUrl = z
  .string()
  .refine(
    isIssuer,
    'must be an https address without query, fragment, user or trailing slash, such as https://as.example.com',
  )

const lifetime = z.int().min(1).max(86_400)

const listener = z.strictObject({
  port: port.describe('The port.'),
  host: z
    .string()
    .min(1)
    .optional()
    .describe('The address to listen on: every one when left out, both loopback addresses for localhost.'),
  origin: httpsUrl.optional().describe('How clients write this listener: https://host or https://host:port.'),
  certificate: pem.optional().describe('The server certificate and its chain.'),
  key: pem.optional().describe('The key of the server certificate.'),
})

const accessTokens = z.strictObject({
  format: z.enum(['jwt', 'reference']).optional().describe('jwt (RFC 9068) or reference (an opaque handle).'),
  algorithm: z.enum(signingAlgorithms).optional().describe('The signature of JWT access tokens.'),
  lifetime: lifetime.optional().describe('Seconds.'),
})

const sentenceForPeople = z.string().min(1).max(200)

const api = z.strictObject({
  identifier: z
    .string()
    .refine((value) => URL.canParse(value) && !value.includes('#'), 'must be an absolute URI without fragment')
    .describe('The URI of the API: the aud of its tokens, and the resource that clients ask for.'),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'is no scope token'))
    .min(1)
    .describe('The scopes that belong to the API.'),
  scopeDescriptions: z
    .record(z.string(), z.union([sentenceForPeople, z.strictObject({ en: sentenceForPeople, de: sentenceForPeople })]))
    .default({})
    .describe('What a scope allows, as people read it at consent: a sentence, or one in each language.'),
  accessTokens: accessTokens.prefault({}).describe('Goes before the general accessTokens.'),
})

const upstream = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, 'must be 1 to 32 small letters, digits and dashes')
    .describe('A short name for addresses.'),
  name: z.string().min(1).max(60).describe('How people know the provider.'),
  issuer: httpsUrl.describe('Its issuer. Its metadata and keys are fetched there.'),
  client_id: z.string().min(1).describe('What it knows us as. Our redirect URI there is issuer/sign-in/callback.'),
  client_secret: z.string().min(1).describe('What we authenticate with, by client_secret_post.'),
  scope: z.string().default('openid').describe('What is asked for there.'),
})

const settingsSchema = z.strictObject({
  $schema: z.string().optional(),
  issuer: httpsUrl.describe('Who issues: the iss of tokens, and where clients find the metadata.'),
  layout: z
    .enum(['port', 'single'])
    .default('port')
    .describe(
      'port: a second listener asks for client certificates. single: the one listener asks (APIs only, no browsers).',
    ),
  listen: z
    .strictObject({ public: listener, mutualTls: listener.optional() })
    .describe('The listeners. mutualTls takes certificate and key from public when it has none.'),
  mutualTls: z
    .strictObject({
      alwaysEmitConfirmationClaim: z
        .boolean()
        .default(false)
        .describe('Bind the token of every client that presents a certificate, whatever its authentication.'),
      trustGroups: z
        .record(
          z.string(),
          z.strictObject({
            ca: pem.describe('The CA certificates of the group.'),
            crl: file
              .optional()
              .describe(
                'A file of revocation lists in PEM, read again when it changes. Without it revocation is not checked.',
              ),
          }),
        )
        .default({})
        .describe('Which CAs may vouch for which tls_client_auth clients.'),
    })
    .prefault({}),
  accessTokens: accessTokens.prefault({}).describe('What holds for APIs and clients that say nothing else.'),
  apis: z.array(api).min(1).describe('The APIs for which tokens are issued.'),
  clients: z
    .array(clientSchema)
    .default([])
    .describe('Clients that are known from the settings. Others are added by `holdfast client add`.'),
  pushedAuthorizationRequests: z
    .strictObject({
      required: z.boolean().default(false).describe('No client may bring an authorization request by the browser.'),
    })
    .prefault({}),
  registration: z
    .strictObject({
      initialAccessTokens: z
        .array(z.string().regex(/^sha256:[A-Za-z0-9_-]{43}$/, 'must be sha256:... in base64url'))
        .min(1)
        .max(100)
        .describe('The hashes of the tokens that allow a client to register.'),
      scopes: z
        .array(z.string())
        .default([])
        .describe('The scopes of APIs that registered clients may ask for, beside those of OpenID Connect.'),
      trustGroup: z
        .string()
        .optional()
        .describe('The group under mutualTls.trustGroups that vouches for clients registered with tls_client_auth.'),
    })
    .optional()
    .describe('Clients that register themselves (RFC 7591). Left out: there are none.'),
  authorizationDetails: z
    .record(
      z.string().min(1),
      z.strictObject({
        schema: z
          .record(z.string(), z.unknown())
          .refine(isJsonSchema, 'is no JSON Schema that can be used')
          .optional()
          .describe('The JSON Schema of the whole object, type included.'),
      }),
    )
    .default({})
    .describe('The types of authorization_details that clients can be registered for (RFC 9396).'),
  people: z
    .strictObject({
      directory: z
        .array(personSchema)
        .max(10_000)
        .default([])
        .describe('People who can sign in. An application brings its own with createAuthorizationServer.'),
      upstream: z.array(upstream).max(10).default([]).describe('Other OpenID providers at which they can sign in too.'),
    })
    .prefault({}),
  pages: z
    .strictObject({
      name: z.string().min(1).max(60).default('Holdfast').describe('Whose pages these are.'),
      logo: file.optional().describe('A PNG, JPEG, WebP or SVG file of at most 64 KiB, relative to the settings.'),
      accent: z
        .string()
        .regex(/^#[0-9a-fA-F]{6}$/, 'must be a colour such as #0f6b63')
        .optional()
        .describe('The colour of buttons and links. What is read on it or in it is made readable.'),
    })
    .prefault({}),
  store: z
    .strictObject({ file: file.default('holdfast.db').describe('The SQLite database, relative to the settings.') })
    .prefault({}),
  keys: z
    .strictObject({
      encryptionKey: file
        .optional()
        .describe(
          'The file of the key that encrypts the signing keys at rest: 32 bytes in base64url. Made beside the database when left out.',
        ),
    })
    .prefault({}),
  revocation: z
    .strictObject({
      jwt: z
        .boolean()
        .default(true)
        .describe(
          'JWT access tokens can be revoked; introspection says so, APIs that check signatures only do not notice.',
        ),
    })
    .prefault({}),
  outbound: z
    .strictObject({
      allow: z.array(z.string().min(1)).default([]).describe('The hosts whose jwks_uri may be fetched.'),
      ca: pem.optional().describe('CA certificates to trust there beside the public ones.'),
      allowPrivateAddresses: z.boolean().default(false).describe('Allow them to be loopback or private addresses.'),
    })
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info') })
    .prefault({}),
})

/** The settings as they are written down. */
export type SettingsInput = Written<z.input<typeof settingsSchema>>

/** The settings, complete: what was left out has its default, and the parts agree. */
export interface Settings extends Omit<z.output<typeof settingsSchema>, 'accessTokens' | 'apis' | 'listen'> {
  readonly accessTokens: AccessTokenSettings
  readonly apis: readonly Api[]
  readonly listen: { readonly public: Listener; readonly mutualTls?: Listener }
}

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
  const { accessTokens, apis, listen, ...rest } = parsed.data
  const general = inherit(accessTokens, { format: 'jwt', algorithm: 'ES256', lifetime: 3600 })
  const settings: Settings = {
    ...rest,
    accessTokens: general,
    apis: apis.map((each) => ({ ...each, accessTokens: inherit(each.accessTokens, general) })),
    listen: listeners(rest.issuer, rest.layout, listen),
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

/**
 * The algorithms for which there are keys to sign with: what is asked for, and RS256 where somebody may want an ID token,
 * since OpenID Connect Discovery §3 asks for it.
 */
export function signingAlgorithmsOf({
  accessTokens: general,
  apis,
  clients,
  registration,
}: Pick<Settings, 'accessTokens' | 'apis' | 'clients' | 'registration'>): readonly AccessTokenSettings['algorithm'][] {
  const ofApis = apis.map((each) => each.accessTokens.algorithm)
  const ofClients = clients.flatMap((each) => each.id_token_signed_response_alg ?? [])
  const openid = registration !== undefined || clients.some(({ scope }) => scope.split(' ').includes('openid'))
  return [...new Set([general.algorithm, ...ofApis, ...ofClients, ...(openid ? (['RS256'] as const) : [])])]
}

/** Parses one client. @throws {@link SettingsError} */
export function parseClient(written: unknown, where = 'client'): z.output<typeof clientSchema> {
  const parsed = clientSchema.safeParse(written, { reportInput: true })
  if (!parsed.success) throw new SettingsError(sentence(parsed.error.issues[0], where))
  return parsed.data
}

export type { ClientInput }

function inherit(given: z.output<typeof accessTokens>, from: AccessTokenSettings): AccessTokenSettings {
  const { format = from.format, algorithm = from.algorithm, lifetime: seconds = from.lifetime } = given
  return { format, algorithm, lifetime: seconds }
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
  { port: number, host, origin }: z.output<typeof listener>,
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

function isJsonSchema(value: JsonObject): boolean {
  try {
    z.fromJSONSchema(value)
    return true
  } catch {
    return false
  }
}

function isIssuer(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, search, hash, username, password, pathname, origin } = new URL(value)
  return (
    protocol === 'https:' &&
    !search &&
    !hash &&
    !username &&
    !password &&
    `${origin}${pathname === '/' ? '' : pathname}` === value
  )
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
