import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClientCertificate } from '@holdfast/pop/certificates'
import {
  createAuthorizationServer,
  parseSettings,
  SettingsError,
  type SettingsInput,
  settingsJsonSchema,
} from 'holdfast'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const pair = await createClientCertificate({ name: 'localhost', keyType: 'P-256' })
const { certificate, key } = pair
const { key: strangeKey } = await createClientCertificate({ name: 'localhost', keyType: 'P-256' })
const x5c = [certificate.replace(/-----.*-----|\s/g, '')]
const publicKey = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }

/** Every key that there is, with a value that is right. */
const whole = {
  $schema: './settings.json',
  issuer: 'https://as.localhost:5001',
  layout: 'port',
  listen: {
    public: { port: 5001, host: 'localhost', origin: 'https://as.localhost:5001', certificate, key },
    mutualTls: { port: 5002, host: 'localhost', origin: 'https://as.localhost:5002', certificate, key },
  },
  mutualTls: { alwaysEmitConfirmationClaim: true, trustGroups: { staff: { ca: certificate, crl: 'staff.crl' } } },
  dpop: { algorithms: ['ES256'], nonces: 'required', proofsPerMinute: 60_000 },
  accessTokens: { format: 'jwt', algorithm: 'ES256', lifetime: 3600 },
  apis: [
    {
      identifier: 'https://api.test',
      scopes: ['api1'],
      scopeDescriptions: { api1: { en: 'Read your notes', de: 'Ihre Notizen lesen' } },
      accessTokens: { format: 'reference', algorithm: 'ES256', lifetime: 60 },
    },
  ],
  clients: [
    {
      client_id: 'chosen',
      client_name: 'A client',
      token_endpoint_auth_method: 'client_secret_basic',
      client_secret: 'secret',
      tls_client_certificate_bound_access_tokens: true,
      dpop_bound_access_tokens: true,
      dpop: 'allowed',
      dpop_nonces: 'off',
      web_origins: ['https://app.test'],
      grant_types: ['client_credentials', 'authorization_code'],
      redirect_uris: ['https://app.test/callback'],
      post_logout_redirect_uris: ['https://app.test/bye'],
      application_type: 'web',
      require_pushed_authorization_requests: true,
      require_signed_request_object: true,
      request_object_signing_alg: 'EdDSA',
      jwks: { keys: [publicKey] },
      subject_type: 'pairwise',
      id_token_signed_response_alg: 'ES256',
      authorization_details_types: ['payment'],
      consent: 'skip',
      refresh_token_lifetime: 86_400,
      registration_access_token_hash: 'A'.repeat(43),
      scope: 'api1',
      access_token_format: 'jwt',
      access_token_lifetime: 60,
      introspects: ['https://api.test'],
      disabled: false,
    },
    { client_id: 'hashed', client_secret_hash: `sha256:${'A'.repeat(43)}` },
    {
      client_id: 'assertion',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'EdDSA',
      jwks: { keys: [publicKey] },
    },
    {
      client_id: 'fetched',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: 'https://keys.test/jwks',
    },
    {
      client_id: 'pinned',
      token_endpoint_auth_method: 'self_signed_tls_client_auth',
      jwks: { keys: [{ kty: 'EC', x5c }] },
    },
    ...['subject_dn', 'san_dns', 'san_uri', 'san_ip', 'san_email'].map((kind) => ({
      client_id: kind,
      token_endpoint_auth_method: 'tls_client_auth',
      [`tls_client_auth_${kind}`]: subjectOf(kind),
      trust_group: 'staff',
    })),
  ],
  pushedAuthorizationRequests: { required: true },
  authorizationDetails: { payment: { schema: { type: 'object' } } },
  registration: { initialAccessTokens: [`sha256:${'A'.repeat(43)}`], scopes: ['api1'], trustGroup: 'staff' },
  people: {
    upstream: [
      {
        id: 'there',
        name: 'There',
        issuer: 'https://there.test',
        client_id: 'us',
        client_secret: 'x',
        scope: 'openid',
      },
    ],
    directory: [
      {
        username: 'alice',
        password_hash: `$argon2id$v=19$m=65536,t=3,p=1$${'A'.repeat(22)}$${'A'.repeat(42)}E`,
        subject: 'user:1',
        upstream: [{ issuer: 'https://there.test', sub: '4711' }],
        disabled: true,
        name: 'Alice Adams',
        given_name: 'Alice',
        family_name: 'Adams',
        middle_name: 'Ann',
        nickname: 'Al',
        preferred_username: 'alice',
        profile: 'https://alice.test/about',
        picture: 'https://alice.test/me.png',
        website: 'https://alice.test',
        email: 'alice@test.test',
        email_verified: true,
        gender: 'female',
        birthdate: '1990-01-01',
        zoneinfo: 'Europe/Berlin',
        locale: 'de',
        phone_number: '+49 30 1',
        phone_number_verified: true,
        updated_at: 1,
        address: {
          formatted: 'A street 1',
          street_address: 'A street 1',
          locality: 'Berlin',
          region: 'Berlin',
          postal_code: '10115',
          country: 'DE',
        },
      },
      { username: 'bob', password: 'bob' },
    ],
  },
  pages: { name: 'Notes', logo: 'logo.png', accent: '#0f6b63' },
  store: { postgres: 'postgres://holdfast@db.test/holdfast', connections: 5 },
  replay: { redis: ['rediss://one.test:6379', 'rediss://other.test:6379'], cluster: true },
  operations: { port: 9464, host: 'localhost' },
  keys: { encryptionKey: 'holdfast.key', otherEncryptionKeys: ['former.key'], rotateEvery: 30, signer: 'application' },
  revocation: { jwt: true },
  outbound: { allow: ['keys.test'], ca: certificate, allowPrivateAddresses: true },
  node: 'one.as.test',
  limits: { requestsPerAddress: 6000, requestsPerClient: 6000, startsPerAddress: 600, connections: 5000 },
  tracing: true,
  log: { level: 'info', requests: 'all' },
}

/** The same, on a database of its own. */
const onSqlite = { ...whole, store: { file: 'holdfast.db' }, replay: {} }

type Path = readonly (string | number)[]

describe('F29 settings', () => {
  it('may say everything at once', () => {
    expect(() => parseSettings(whole)).not.toThrow()
  })

  it('the whole example has every key of the schema', () => {
    const named = new Set(
      [...leavesOf(whole), ...leavesOf(onSqlite)].flatMap((path) => path.filter((part) => typeof part === 'string')),
    )
    expect(keysOf(settingsJsonSchema()).filter((name) => !named.has(name))).toEqual([])
  })

  const own = leavesOf(whole).filter((path) => !path.includes('schema'))
  const anyNumber = new Set(['updated_at'])
  it.each(own.map((path) => [dotted(path), path] as const))('refuses a value of another type at %s', (_, path) => {
    const value = at(whole, path)
    for (const wrong of [
      null,
      {},
      [],
      [null],
      Number.NaN,
      ...(typeof value === 'boolean' ? ['true', 1] : [true]),
      ...(typeof value === 'number' ? [String(value), 0.5, -1] : [1]),
      ...(typeof value === 'number' && !anyNumber.has(String(path.at(-1))) ? [0, 1e9] : []),
    ])
      requireRefused(changed(whole, path, wrong), path)
  })

  const free = new Set(['$schema'])
  it.each(
    own
      .filter((path) => typeof at(whole, path) === 'string' && !free.has(String(path[0])))
      .map((path) => [dotted(path), path] as const),
  )('refuses an empty text at %s', (_, path) => {
    if (path.at(-1) === 'scope') expect(() => parseSettings(changed(whole, path, ''))).not.toThrow()
    else requireRefused(changed(whole, path, ''), path)
  })

  const unchecked =
    /client_name|client_id|client_secret$|tls_client_auth_|trustGroups|\.x5c|\.host$|certificate$|key$|\.ca$|crl$|file$|Key$|otherEncryptionKeys\[|allow\[|\$schema|scopeDescriptions|postgres$|redis\[|^people|^pages\.(name|logo)/
  it.each(
    own
      .filter((path) => typeof at(whole, path) === 'string' && !unchecked.test(dotted(path)))
      .map((path) => [dotted(path), path] as const),
  )('refuses nonsense at %s', (_, path) => {
    requireRefused(changed(whole, path, '\u0000 nonsense'), path)
  })

  it.each(groupsOf(whole).map((path) => [dotted(path) || 'the top', path] as const))(
    'refuses an unknown key in %s',
    (_, path) => {
      const error = requireRefused(changed(whole, [...path, 'unkown'], 1), path)
      expect(error.message).toContain('unkown')
    },
  )

  it.each([
    'issuer',
    'listen',
    'apis',
    'listen.public.port',
    'apis[0].identifier',
    'apis[0].scopes',
    'clients[0].client_id',
  ])('cannot do without %s', (name) => {
    const path = leavesOf(whole)
      .concat(groupsOf(whole), [['apis'], ['apis', 0, 'scopes']])
      .find((each) => dotted(each) === name)
    requireRefused(changed(whole, path ?? [], undefined), path ?? [])
  })

  it.each([
    ['http://as.test'],
    ['https://as.test/'],
    ['https://as.test?x=1'],
    ['https://as.test#x'],
    ['https://user@as.test'],
    ['https://as.test:443'],
    ['https://AS.test'],
    ['https://as.test/a/../b'],
    ['as.test'],
    [' https://as.test'],
  ])('[RFC9207-2-3, RFC6749-3.1-7, RFC6749-3.2-6] refuses the issuer %s', (issuer) => {
    requireRefused({ ...whole, issuer }, ['issuer'])
  })
})

describe('F29 settings that conflict', () => {
  const { listen, apis, clients } = whole
  const [first] = clients
  const client = (change: object) => ({ ...whole, clients: [{ ...first, ...change }] })
  const of = (id: string, change: object) => ({
    ...whole,
    clients: clients.map((each) => (each.client_id === id ? { ...each, ...change } : each)),
  })
  it.each<[string, unknown, string]>([
    ['no server certificate', { ...whole, listen: { ...listen, public: { port: 5001 } } }, 'listen.public'],
    ['layout single with a second listener', { ...whole, layout: 'single' }, 'listen.mutualTls'],
    ['layout port without one', { ...whole, listen: { public: listen.public } }, 'listen.mutualTls'],
    [
      'both listeners on one port',
      { ...whole, listen: { ...listen, mutualTls: { ...listen.mutualTls, port: 5001 } } },
      'listen.mutualTls.port',
    ],
    [
      'an origin with a path',
      { ...whole, listen: { ...listen, public: { ...listen.public, origin: 'https://as.test/x' } } },
      'listen',
    ],
    ['an API twice', { ...whole, apis: [...apis, ...apis] }, 'apis[1].identifier'],
    ['a client twice', { ...whole, clients: [first, first] }, 'clients[1].client_id'],
    ['a scope that no API has', client({ scope: 'api1 api9' }), 'clients[0].scope'],
    ['an API that is not there', client({ introspects: ['https://other.test'] }), 'clients[0].introspects'],
    ['a trust group that is not there', of('san_dns', { trust_group: 'others' }), 'trust_group'],
    ['a trust group of the prototype', of('san_dns', { trust_group: 'constructor' }), 'trust_group'],
    ['two secrets', client({ client_secret_hash: `sha256:${'A'.repeat(43)}` }), 'client_secret'],
    ['a secret for a public client', client({ token_endpoint_auth_method: 'none' }), 'client_secret'],
    ['no secret', client({ client_secret: undefined }), 'client_secret_hash'],
    ['no keys for private_key_jwt', of('assertion', { jwks: undefined }), 'jwks'],
    ['keys and their address', of('fetched', { jwks: { keys: [publicKey] } }), 'jwks'],
    [
      'keys for a client that signs nothing',
      client({ request_object_signing_alg: undefined, require_signed_request_object: false }),
      'jwks',
    ],
    ['no keys for request objects', client({ jwks: undefined }), 'jwks'],
    ['no redirect URI for codes', client({ redirect_uris: [] }), 'redirect_uris'],
    ['a redirect URI where scripts run', client({ redirect_uris: ['javascript:x'] }), 'redirect_uris'],
    [
      'a type of details that is not there',
      client({ authorization_details_types: ['other'] }),
      'authorization_details',
    ],
    [
      'a schema that is none',
      { ...whole, authorizationDetails: { payment: { schema: { type: 'nothing' } } } },
      'authorizationDetails',
    ],
    ['a private key', of('assertion', { jwks: { keys: [{ ...publicKey, d: 'AA' }] } }), 'jwks'],
    [
      'an algorithm that no key fits',
      of('assertion', { token_endpoint_auth_signing_alg: 'ES256' }),
      'token_endpoint_auth_signing_alg',
    ],
    [
      'an algorithm for a client with a secret',
      client({ token_endpoint_auth_signing_alg: 'ES256' }),
      'token_endpoint_auth_signing_alg',
    ],
    ['two subject values', of('san_dns', { tls_client_auth_san_ip: '127.0.0.1' }), 'token_endpoint_auth_method'],
    ['no subject value', of('san_dns', { tls_client_auth_san_dns: undefined }), 'token_endpoint_auth_method'],
    ['no trust group', of('san_dns', { trust_group: undefined }), 'trust_group'],
    ['a subject value for another method', client({ tls_client_auth_san_dns: 'a.test' }), 'tls_client_auth_san_dns'],
    ['a trust group for another method', client({ trust_group: 'staff' }), 'trust_group'],
    ['a pinned key without certificate', of('pinned', { jwks: { keys: [publicKey] } }), 'jwks'],
    [
      'proofs that are demanded and not taken',
      client({ dpop_bound_access_tokens: true, dpop: 'off' }),
      'clients[0].dpop_bound_access_tokens',
    ],
    [
      'bound access tokens that are spared',
      client({ dpop_bound_access_tokens: true, dpop: 'refresh-tokens' }),
      'clients[0].dpop_bound_access_tokens',
    ],
    [
      'spared access tokens of a client with a secret',
      client({ dpop_bound_access_tokens: false, dpop: 'refresh-tokens' }),
      'clients[0].dpop',
    ],
    ['proofs by RS256', { ...whole, dpop: { algorithms: ['RS256'] } }, 'dpop.algorithms'],
    ['no algorithm of proofs', { ...whole, dpop: { algorithms: [] } }, 'dpop.algorithms'],
    ['nonces for some', { ...whole, dpop: { nonces: 'sometimes' } }, 'dpop.nonces'],
    ['no proofs a minute', { ...whole, dpop: { proofsPerMinute: 0 } }, 'dpop.proofsPerMinute'],
    ['a rule of nonces that is not for one client', client({ dpop_nonces: 'required-for-public' }), 'dpop_nonces'],
    ['a jwks_uri whose host is not allowed', { ...whole, outbound: { allow: [] } }, 'jwks_uri'],
  ])('refuses %s', (_, settings, name) => {
    expect(refusalOf(settings).message).toContain(name)
  })

  it('refuses what is no object', () => {
    for (const settings of [undefined, null, [], 'issuer', 1]) refusalOf(settings)
  })
})

describe('F29 files that the settings name', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-'))
  beforeAll(() => {
    writeFileSync(join(directory, 'folder-is-no-key'), 'x')
  })
  afterAll(() => rmSync(directory, { recursive: true }))
  const { listen, outbound } = whole
  const open = (change: object) => ({ ...listen, public: { ...listen.public, ...change } })
  const group = (change: object) => ({ trustGroups: { staff: { ca: certificate, ...change } } })

  it.each<[string, object, string]>([
    ['a certificate that is not there', { listen: open({ certificate: 'missing.pem' }) }, 'listen.public.certificate'],
    ['a key that is not there', { listen: open({ key: 'missing.pem' }) }, 'listen.public.key'],
    ['a key that is none', { listen: open({ key: 'folder-is-no-key' }) }, 'listen.public'],
    ['a key of another certificate', { listen: open({ key: strangeKey }) }, 'listen.public'],
    ['a folder in place of a file', { listen: open({ key: '.' }) }, 'listen.public.key'],
    ['a CA that is not there', { mutualTls: group({ ca: 'missing.pem' }) }, 'mutualTls.trustGroups.staff.ca'],
    [
      'a CA file without a certificate',
      { mutualTls: group({ ca: 'folder-is-no-key' }) },
      'mutualTls.trustGroups.staff.ca',
    ],
    [
      'a CA that is damaged',
      { mutualTls: group({ ca: certificate.replace('MII', 'AAA') }) },
      'mutualTls.trustGroups.staff.ca',
    ],
    [
      'a list of revocations that is not there',
      { mutualTls: group({ crl: 'missing.crl' }) },
      'mutualTls.trustGroups.staff.crl',
    ],
    [
      'a list of revocations that is none',
      { mutualTls: group({ crl: 'folder-is-no-key' }) },
      'mutualTls.trustGroups.staff.crl',
    ],
    ['CAs of the outside that are not there', { outbound: { ...outbound, ca: 'missing.pem' } }, 'outbound.ca'],
    ['CAs of the outside that are none', { outbound: { ...outbound, ca: 'folder-is-no-key' } }, 'outbound.ca'],
  ])('refuses %s, and makes no database', async (_, change, name) => {
    const settings = { ...onSqlite, pages: {}, mutualTls: group({}), ...change } as SettingsInput
    await expect(createAuthorizationServer(settings, { directory })).rejects.toMatchObject({
      name: 'SettingsError',
      message: expect.stringContaining(name),
    })
    expect(existsSync(join(directory, 'holdfast.db'))).toBe(false)
  })

  it.each([
    ['a database in a folder that is not there', 'missing/holdfast.db'],
    ['a folder in place of the database', '.'],
  ])('refuses %s', async (_, file) => {
    const settings = { ...onSqlite, pages: {}, mutualTls: group({}), store: { file } } as SettingsInput
    await expect(createAuthorizationServer(settings, { directory })).rejects.toMatchObject({ name: 'StoreUnusable' })
  })
})

function subjectOf(kind: string): string {
  return (
    { subject_dn: 'CN=client', san_uri: 'urn:client', san_ip: '127.0.0.1', san_email: 'a@b.test' }[kind] ??
    'client.test'
  )
}

function refusalOf(settings: unknown): SettingsError {
  try {
    parseSettings(settings)
  } catch (error) {
    if (error instanceof SettingsError) {
      expect(error.message).toMatch(/^[^\n]{5,400}\.$/)
      return error
    }
    throw error
  }
  throw new Error('these settings were taken')
}

/** Refused with a sentence that names the key, or the group that it stands in. */
function requireRefused(settings: unknown, path: Path): SettingsError {
  const error = refusalOf(settings)
  const names = path.filter((part) => typeof part === 'string')
  if (names.length > 0 && !names.slice(-3).some((name) => error.message.includes(String(name))))
    throw new Error(`"${error.message}" does not name ${dotted(path)}`)
  return error
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function leavesOf(value: unknown, path: Path = []): Path[] {
  if (!isGroup(value)) return [path]
  return Object.entries(value).flatMap(([name, each]) =>
    leavesOf(each, [...path, Array.isArray(value) ? Number(name) : name]),
  )
}

/** Objects whose keys are ours: not a key or a schema of somebody, nor names that the operator chooses. */
function groupsOf(value: unknown, path: Path = []): Path[] {
  if (!isGroup(value) || path.at(-1) === 'schema' || (path.includes('keys') && path[0] === 'clients')) return []
  const inner = Object.entries(value).flatMap(([name, each]) =>
    groupsOf(each, [...path, Array.isArray(value) ? Number(name) : name]),
  )
  return Array.isArray(value) || chosen.has(String(path.at(-1))) ? inner : [path, ...inner]
}

const chosen = new Set(['trustGroups', 'authorizationDetails', 'scopeDescriptions'])

function keysOf(schema: unknown): string[] {
  if (!isGroup(schema)) return []
  const own = isGroup(schema.properties) ? Object.keys(schema.properties) : []
  return [...own, ...Object.values(schema).flatMap(keysOf)]
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, part) => (isGroup(inner) ? inner[part] : undefined), value)
}

function changed(value: unknown, path: Path, to: unknown): unknown {
  const copy = structuredClone(value)
  const holder = at(copy, path.slice(0, -1))
  if (isGroup(holder)) holder[path.at(-1) ?? ''] = to
  return copy
}

function dotted(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text ? `${text}.${part}` : String(part)),
    '',
  )
}
