import { X509Certificate } from 'node:crypto'
import { Agent } from 'node:https'
import {
  type CertificateOptions,
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  type DistinguishedName,
  issueCertificate,
} from '@holdfast/pop/certificates'
import { createAuthorizationServer, type SettingsInput } from 'holdfast'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  api,
  assertion,
  assertionType,
  baseClients,
  basic,
  claimsOf,
  declined,
  type Harness,
  startServer,
} from './harness.ts'
import { type KeyServer, startKeyServer } from './key-server.ts'

type Pair = Pick<CertificatePair, 'certificate' | 'key'>

const [commonName, country, organization] = ['2.5.4.3', '2.5.4.6', '2.5.4.10']
const subject: DistinguishedName = [
  [{ type: country, text: 'DE' }],
  [{ type: organization, text: 'Example, Inc.' }],
  [{ type: commonName, text: 'mtls' }],
]
/** What the valid certificate says, signed by itself. */
const usual: CertificateOptions = {
  subject,
  keyType: 'P-256',
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: ['clientAuth'],
  dns: ['good.test'],
  uris: ['https://good.test/Path'],
  ips: ['192.0.2.1', '2001:db8::1'],
  emails: ['Ops@good.test'],
}

let root: CertificatePair
let valid: CertificatePair
let pinned: CertificatePair
let remote: KeyServer
let server: Harness
let now: number

beforeAll(async () => {
  root = await createCertificateAuthority({ name: 'Main root' })
  const foreign = await createCertificateAuthority({ name: 'Foreign root' })
  valid = await issue()
  pinned = await createClientCertificate({ name: 'pinned', keyType: 'P-256' })
  remote = await startKeyServer()
  const byPath = { token_endpoint_auth_method: 'tls_client_auth', trust_group: 'main', scope: 'api1' } as const
  const byKey = { token_endpoint_auth_method: 'self_signed_tls_client_auth', scope: 'api1' } as const
  server = await startServer((settings) => ({
    ...settings,
    mutualTls: {
      alwaysEmitConfirmationClaim: true,
      trustGroups: { main: { ca: root.certificate }, foreign: { ca: foreign.certificate } },
    },
    outbound: { allow: ['localhost'], ca: remote.ca, allowPrivateAddresses: true },
    clients: [
      ...baseClients,
      { client_id: 'dn', tls_client_auth_subject_dn: 'CN=mtls,O=Example\\, Inc.,C=DE', ...byPath },
      { client_id: 'dn-oids', tls_client_auth_subject_dn: '2.5.4.3=mtls , o=Example\\2C Inc., c=DE', ...byPath },
      { client_id: 'dn-reversed', tls_client_auth_subject_dn: 'C=DE,O=Example\\, Inc.,CN=mtls', ...byPath },
      { client_id: 'dn-two', tls_client_auth_subject_dn: 'CN=mtls,O=Org', ...byPath },
      { client_id: 'dns', tls_client_auth_san_dns: 'good.test', ...byPath },
      { client_id: 'dns-evil', tls_client_auth_san_dns: 'evil.test', ...byPath },
      { client_id: 'uri', tls_client_auth_san_uri: 'https://good.test/Path', ...byPath },
      { client_id: 'ip4', tls_client_auth_san_ip: '192.0.2.1', ...byPath },
      { client_id: 'ip6', tls_client_auth_san_ip: '2001:0DB8:0:0:0:0:0:1', ...byPath },
      { client_id: 'email', tls_client_auth_san_email: 'Ops@good.test', ...byPath },
      { client_id: 'elsewhere', tls_client_auth_san_dns: 'good.test', ...byPath, trust_group: 'foreign' },
      { client_id: 'pinned', jwks: jwksOf(pinned), ...byKey },
      { client_id: 'pinned-twice', jwks: { keys: [...jwksOf(valid).keys, ...jwksOf(pinned).keys] }, ...byKey },
      { client_id: 'pinned-remote', jwks_uri: remote.uri, ...byKey },
      { client_id: 'disabled-pinned', jwks: jwksOf(pinned), disabled: true, ...byKey },
    ],
  }))
  now = server.freeze()
})
afterAll(async () => {
  await server.close()
  await remote.close()
})
afterEach(async () => {
  expect((await ask('dn', valid)).status, 'still serves').toBe(200)
})

/** The valid certificate of the clients under `main`, but for what is overridden. */
function issue(overrides: Partial<CertificateOptions> = {}): Promise<CertificatePair> {
  return issueCertificate({ ...usual, issuer: root, ...overrides })
}

function ask(client_id: string | undefined, certificate?: Pair, form: Readonly<Record<string, string>> = {}) {
  return server.token(
    { client_id, client_secret: undefined, ...form },
    { on: 'mutualTls', ...(certificate && { certificate }) },
  )
}

/** Puts keys behind the jwks_uri, and lets the server forget the ones before. */
function publish(keys: object) {
  remote.answer = keys
  server.advance(300)
  now = server.freeze()
}

function jwksOf({ certificate }: Pair, overrides: object = {}) {
  const x509 = new X509Certificate(certificate)
  const key = { kty: '', ...x509.publicKey.export({ format: 'jwk' }), x5c: [x509.raw.toString('base64')] }
  return { keys: [{ ...key, ...overrides }] }
}

async function expectDeclined(client: string, certificate: Pair | undefined, reason: string) {
  expect(await declined(server, ask(client, certificate))).toMatchObject({
    status: 401,
    error: 'invalid_client',
    reason,
  })
}

describe('RFC 8705 §2 authentication by certificate', () => {
  it('[RFC8705-2-2] [RFC8705-2-3] finds the client by client_id and binds the token to its certificate', async () => {
    const answer = await ask('dn', valid)
    expect(answer.status).toBe(200)
    expect(claimsOf(answer.json.access_token)).toMatchObject({ client_id: 'dn', cnf: { 'x5t#S256': valid.thumbprint } })
  })

  it('[RFC8705-1-1] works at introspection and revocation too', async () => {
    const { json } = await ask('dn', valid)
    const form = { client_id: 'dn', token: json.access_token }
    expect((await server.post('/introspect', form, { certificate: valid })).json.active).toBe(true)
    expect((await server.post('/revoke', form, { certificate: valid })).status).toBe(200)
    expect((await server.post('/introspect', form, { certificate: valid })).json).toEqual({ active: false })
    const refusal = await declined(server, server.post('/introspect', form, { on: 'mutualTls' }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_certificate_missing' })
  })

  it('[RFC8705-2-2] [T26] refuses a certificate without client_id', async () => {
    const refusal = await declined(server, ask(undefined, valid))
    expect(refusal).toMatchObject({ status: 400, error: 'invalid_request', reason: 'client_id_missing' })
  })

  it('takes client_id by Basic with an empty password', async () => {
    const form = { client_id: undefined, client_secret: undefined }
    expect((await server.token(form, { certificate: valid, headers: basic('dn', '') })).status).toBe(200)
  })

  it.each(['dn', 'pinned'])('[RFC8705-2-4] [T10] refuses %s without a certificate', (client) =>
    expectDeclined(client, undefined, 'client_certificate_missing'),
  )

  it('[RFC8705-2-4] [T10] refuses on the listener that never asks for a certificate', async () => {
    const form = { client_id: 'dn', client_secret: undefined }
    const refusal = await declined(server, server.token(form, { on: 'public', certificate: valid }))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_certificate_missing' })
  })

  it.each(['Client-Cert', 'X-Client-Cert', 'X-SSL-Client-Cert', 'X-Forwarded-Client-Cert', 'ssl-client-cert'])(
    '[RFC8705-2-1] does not take the certificate from a header %s',
    async (name) => {
      const der = new X509Certificate(valid.certificate).raw.toString('base64')
      const headers = { [name]: name === 'Client-Cert' ? `:${der}:` : encodeURIComponent(valid.certificate) }
      const form = { client_id: 'dn', client_secret: undefined }
      for (const on of ['public', 'mutualTls'] as const) {
        const refusal = await declined(server, server.token(form, { on, headers }))
        expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_certificate_missing' })
      }
    },
  )

  it('[RFC8705-2-3] refuses the certificate of one client for another', async () => {
    await expectDeclined('pinned', valid, 'client_certificate_not_registered')
    await expectDeclined('dn', pinned, 'client_certificate_path')
  })

  it('[RFC8705-2-5] [T08] refuses a secret and an assertion of a client that is registered for certificates', async () => {
    const signed = assertion(valid.key, 'dn', server.issuer)
    for (const more of [
      { client_secret: 'secret' },
      { client_assertion: signed, client_assertion_type: assertionType },
    ])
      expect(await declined(server, ask('dn', valid, more))).toMatchObject({
        status: 401,
        error: 'invalid_client',
        reason: 'client_method_not_registered',
      })
  })

  it('[RFC8705-2-5] a certificate is no authentication for a client that is registered with a secret', async () => {
    const refusal = await declined(server, ask('client', valid))
    expect(refusal).toMatchObject({ status: 401, error: 'invalid_client', reason: 'client_credentials_missing' })
  })

  it('[T43] refuses a disabled client', () => expectDeclined('disabled-pinned', pinned, 'client_disabled'))

  it('[RFC8705-2.1.1-1] [RFC8705-2.2.1-1] both methods are advertised by their names at every endpoint', async () => {
    const { json } = await server.send({
      on: 'public',
      method: 'GET',
      path: '/.well-known/oauth-authorization-server',
      headers: {},
    })
    for (const endpoint of ['token', 'introspection', 'revocation'])
      expect(json[`${endpoint}_endpoint_auth_methods_supported`]).toEqual(
        expect.arrayContaining(['tls_client_auth', 'self_signed_tls_client_auth']),
      )
  })
})

describe('RFC 8705 §2.1 tls_client_auth: the path', () => {
  it('[RFC8705-2.1-1] leads over an intermediate that the client sends', async () => {
    const issuer = await createCertificateAuthority({ name: 'Intermediate', issuer: root })
    const leaf = await issue({ issuer })
    expect((await ask('dn', chain(leaf, issuer))).status).toBe(200)
    await expectDeclined('dn', leaf, 'client_certificate_path')
  })

  it('[RFC8705-2.1-1] has at most four certificates', async () => {
    const first = await createCertificateAuthority({ name: 'First', issuer: root })
    const second = await createCertificateAuthority({ name: 'Second', issuer: first })
    const third = await createCertificateAuthority({ name: 'Third', issuer: second })
    expect((await ask('dn', chain(await issue({ issuer: second }), second, first))).status).toBe(200)
    await expectDeclined('dn', chain(await issue({ issuer: third }), third, second, first), 'client_certificate_path')
  })

  it('[RFC8705-2.1-1] [T11] does not lead over the same subject signed by itself', async () => {
    await expectDeclined('dn', await issueCertificate(usual), 'client_certificate_path')
  })

  it('[RFC8705-2.1-1] [T11] does not lead to another root of the same name', async () => {
    const twin = await createCertificateAuthority({ name: 'Main root' })
    const leaf = await issue({ issuer: twin })
    await expectDeclined('dn', leaf, 'client_certificate_path')
    await expectDeclined('dn', chain(leaf, twin), 'client_certificate_path')
  })

  it("[RFC8705-2.1-1] [RFC8705-7.4-1] does not lead to another client's trust group", async () => {
    expect((await ask('dns', valid)).status).toBe(200)
    await expectDeclined('elsewhere', valid, 'client_certificate_path')
  })

  it("does not lead over another client's certificate", async () => {
    const leaf = await issue({ issuer: valid })
    await expectDeclined('dn', chain(leaf, valid), 'client_certificate_path')
  })

  it('does not lead over a CA that may have none below it', async () => {
    const first = await createCertificateAuthority({ name: 'First', issuer: root, pathLength: 0 })
    const second = await createCertificateAuthority({ name: 'Second', issuer: first })
    expect((await ask('dn', chain(await issue({ issuer: first }), first))).status).toBe(200)
    await expectDeclined('dn', chain(await issue({ issuer: second }), second, first), 'client_certificate_path')
  })

  it('does not lead over an intermediate that has expired', async () => {
    const issuer = await createCertificateAuthority({ name: 'Intermediate', issuer: root, notAfter: now - 1 })
    await expectDeclined('dn', chain(await issue({ issuer }), issuer), 'client_certificate_dates')
  })

  it.each(['P-384', 'Ed25519', 'RSA', 'ML-DSA-44'] as const)('may consist of %s keys', async (keyType) => {
    const issuer = await createCertificateAuthority({ name: 'Intermediate', issuer: root, keyType })
    expect((await ask('dn', chain(await issue({ issuer, keyType }), issuer))).status).toBe(200)
  })

  it('[T22] begins with a certificate for client authentication, if it says for what it is', async () => {
    for (const right of [
      { extendedKeyUsage: ['anyExtendedKeyUsage'] },
      { extendedKeyUsage: ['serverAuth', 'clientAuth'] },
    ])
      expect((await ask('dn', await issue(right))).status).toBe(200)
    const { extendedKeyUsage: _, keyUsage: __, ...silent } = usual
    expect((await ask('dn', await issueCertificate({ ...silent, issuer: root }))).status).toBe(200)
    await expectDeclined('dn', await issue({ extendedKeyUsage: ['serverAuth'] }), 'client_certificate_purpose')
    await expectDeclined('dn', await issue({ keyUsage: ['keyEncipherment'] }), 'client_certificate_purpose')
  })

  it('[T23] begins with a certificate that is no CA and has nothing critical that is unknown', async () => {
    const extension = { oid: '1.2.3.4.5', value: Buffer.from([5, 0]) }
    expect((await ask('dn', await issue({ extensions: [{ ...extension, critical: false }] }))).status).toBe(200)
    await expectDeclined('dn', await issue({ isCa: true }), 'client_certificate_purpose')
    const critical = await issue({ extensions: [{ ...extension, critical: true }] })
    await expectDeclined('dn', critical, 'client_certificate_path')
  })

  it('[RFC8705-4-2] [T22] [T23] none of that counts where the certificate only binds', async () => {
    for (const odd of [
      { extendedKeyUsage: ['serverAuth'] },
      { keyUsage: ['keyEncipherment', 'digitalSignature'] },
      { isCa: true },
      { version: 1 },
      { extensions: [{ oid: '1.2.3.4.5', value: Buffer.from([5, 0]), critical: true }] },
    ] satisfies Partial<CertificateOptions>[]) {
      const certificate = await issueCertificate({ ...usual, ...odd })
      const answer = await ask('client', certificate, { client_secret: 'secret' })
      expect(claimsOf(answer.json.access_token).cnf).toEqual({ 'x5t#S256': certificate.thumbprint })
    }
  })

  it('[RFC8705-2.1-5] may begin with a renewed certificate of the same subject', async () => {
    expect((await ask('dn', await issue())).status).toBe(200)
    expect((await ask('dn', await issue({ key: valid.key }))).status).toBe(200)
  })
})

describe('RFC 8705 §2.1.2 tls_client_auth: the subject', () => {
  it('[RFC8705-2.1.2-2] [RFC8705-2.1-3] [T13] is the distinguished name, however RFC 4514 lets it be written', async () => {
    for (const client of ['dn', 'dn-oids']) expect((await ask(client, valid)).status).toBe(200)
  })

  it.each([
    ['in reverse order', subject.toReversed()],
    ['in other case', replaced(2, { type: commonName, text: 'MTLS' })],
    ['without one part', subject.slice(1)],
    ['with one part more', [...subject, [{ type: commonName, text: 'more' }]]],
    ['with its parts in one', [subject.flat()]],
    ['with another organization', replaced(1, { type: organization, text: 'Example' })],
    ['with white space at the end', replaced(2, { type: commonName, text: 'mtls ' })],
  ])('[RFC8705-2.1-2] [RFC8705-2.1-3] [T12] [T13] is not the distinguished name %s', async (_, other) => {
    await expectDeclined('dn', await issue({ subject: other }), 'client_certificate_subject')
  })

  it('[RFC8705-2.1-3] [T13] is not the registered name read from the wrong end', () =>
    expectDeclined('dn-reversed', valid, 'client_certificate_subject'))

  it('[RFC8705-2.1-3] [T14] is not a common name that contains the rest as text', async () => {
    const right = [[{ type: organization, text: 'Org' }], [{ type: commonName, text: 'mtls' }]]
    expect((await ask('dn-two', await issue({ subject: right }))).status).toBe(200)
    for (const text of ['mtls,O=Org', 'mtls\\,O=Org', 'Org + CN=mtls'])
      await expectDeclined('dn-two', await issue({ subject: text }), 'client_certificate_subject')
  })

  it.each([
    ['[RFC8705-2.1.2-3]', 'dns', {}],
    ['[RFC8705-2.1.2-3]', 'dns', { dns: ['first.test', 'GOOD.test'] }],
    ['[RFC8705-2.1.2-4]', 'uri', {}],
    ['[RFC8705-2.1.2-5]', 'ip4', {}],
    ['[RFC8705-2.1.2-5] [T17]', 'ip6', {}],
    ['[RFC8705-2.1.2-6]', 'email', {}],
  ])('%s is among the alternative names: %s', async (_, client, more) => {
    expect((await ask(client, await issue(more))).status).toBe(200)
  })

  it.each([
    ['[RFC8705-2.1.2-3] [T12]', 'dns', { dns: ['other.test'] }],
    ['[RFC8705-2.1.2-3] [T15]', 'dns', { dns: [], subject: 'good.test' }],
    ['[RFC8705-2.1.2-3] [T15]', 'dns', { dns: ['*.test'] }],
    ['[RFC8705-2.1.2-3]', 'dns', { dns: ['good.test.'] }],
    ['[RFC8705-2.1.2-3]', 'dns', { dns: ['a.good.test'] }],
    ['[RFC8705-2.1.2-3]', 'dns', { dns: ['good.test\0.evil.test'] }],
    ['[RFC8705-2.1.2-3]', 'dns', { dns: [], uris: ['good.test'], emails: ['good.test'] }],
    ['[RFC8705-2.1.2-3] [T16]', 'dns-evil', { dns: ['good.test, DNS:evil.test'] }],
    ['[RFC8705-2.1.2-4] [T17]', 'uri', { uris: ['https://good.test/path'] }],
    ['[RFC8705-2.1.2-4] [T17]', 'uri', { uris: ['https://good.test/Path/'] }],
    ['[RFC8705-2.1.2-4] [T17]', 'uri', { uris: ['https://good.test:443/Path'] }],
    ['[RFC8705-2.1.2-5] [T17]', 'ip4', { ips: ['::ffff:192.0.2.1'] }],
    ['[RFC8705-2.1.2-5]', 'ip4', { ips: [], dns: ['192.0.2.1'] }],
    ['[RFC8705-2.1.2-5]', 'ip6', { ips: ['2001:db8::2'] }],
    ['[RFC8705-2.1.2-6]', 'email', { emails: ['ops@good.test'] }],
    ['[RFC8705-2.1.2-6]', 'email', { emails: ['Ops@evil.test'] }],
    [
      '[RFC8705-2.1.2-6]',
      'email',
      { emails: [], subject: [[{ type: '1.2.840.113549.1.9.1', text: 'Ops@good.test' }]] },
    ],
  ] satisfies [string, string, Partial<CertificateOptions>][])('%s is not for %s among %j', async (_, client, more) => {
    await expectDeclined(client, await issue(more), 'client_certificate_subject')
  })

  it.each([
    ['[RFC8705-2.1.2-1]', 'no subject', {}],
    ['[RFC8705-2.1.2-1]', 'two subjects', { tls_client_auth_san_dns: 'a.test', tls_client_auth_san_ip: '192.0.2.1' }],
    ['[RFC8705-2.1.2-2]', 'a name that is none', { tls_client_auth_subject_dn: 'mtls' }],
    ['[RFC8705-2.1.2-3]', 'a wildcard', { tls_client_auth_san_dns: '*.test' }],
    ['[RFC8705-2.1.2-4]', 'a URI that is none', { tls_client_auth_san_uri: 'good.test' }],
    ['[RFC8705-2.1.2-5]', 'an address that is none', { tls_client_auth_san_ip: '192.0.2.256' }],
    ['[RFC8705-2.1.2-6]', 'a mail address that is none', { tls_client_auth_san_email: 'good.test' }],
  ])('%s cannot be registered with %s', async (_, __, members) => {
    const client = { client_id: 'x', token_endpoint_auth_method: 'tls_client_auth', trust_group: 'main', ...members }
    await expectSettingsRefused({ clients: [client as NonNullable<SettingsInput['clients']>[number]] })
  })
})

describe('RFC 8705 §2.2 self_signed_tls_client_auth', () => {
  it('[RFC8705-2.2-1] [RFC8705-2.2.2-1] takes a certificate that is registered in x5c', async () => {
    expect((await ask('pinned', pinned)).status).toBe(200)
    for (const certificate of [valid, pinned]) expect((await ask('pinned-twice', certificate)).status).toBe(200)
  })

  it('[RFC8705-2.2-2] does not look at chain or purpose', async () => {
    const root = await createCertificateAuthority({ name: 'Nobody knows it' })
    const odd = await issue({ issuer: root, extendedKeyUsage: ['serverAuth'], isCa: true })
    publish(jwksOf(odd))
    expect((await ask('pinned-remote', odd)).status).toBe(200)
  })

  it('[RFC8705-2.2-1] [T18] refuses a certificate that is not registered, also with the same name', async () => {
    const other = await createClientCertificate({ name: 'pinned', keyType: 'P-256' })
    await expectDeclined('pinned', other, 'client_certificate_not_registered')
  })

  it('[RFC8705-2.2-1] [T19] refuses a renewed certificate with the registered key', async () => {
    const renewed = await createClientCertificate({ name: 'pinned', keyType: 'P-256', key: pinned.key })
    await expectDeclined('pinned', renewed, 'client_certificate_not_registered')
  })

  it('[RFC8705-2.2-1] refuses a certificate that only issued the one that came', async () => {
    const child = await issue({ issuer: pinned })
    await expectDeclined('pinned', chain(child, pinned), 'client_certificate_not_registered')
  })

  it('[RFC8705-2.2-3] follows the keys behind jwks_uri', async () => {
    const [old, next] = [await issue(), await issue()]
    publish(jwksOf(old))
    expect((await ask('pinned-remote', old)).status).toBe(200)
    remote.answer = jwksOf(next)
    server.advance(31)
    now = server.freeze()
    expect((await ask('pinned-remote', next)).status).toBe(200)
    await expectDeclined('pinned-remote', old, 'client_certificate_not_registered')
  })

  it.each([
    ['a member that disagrees', (own: Pair) => jwksOf(own, { x: jwksOf(valid).keys[0]?.x })],
    ['another kty', (own: Pair) => jwksOf(own, { kty: 'RSA' })],
    ['the certificate in the second place of x5c', (own: Pair) => jwksOf(own, { x5c: [der(valid), der(own)] })],
    [
      'the certificate in base64url',
      (own: Pair) => jwksOf(own, { x5c: [der(own).replaceAll('+', '-').replaceAll('/', '_')] }),
    ],
    ['the certificate in PEM', (own: Pair) => jwksOf(own, { x5c: [own.certificate] })],
    ['the key alone', (own: Pair) => jwksOf(own, { x5c: undefined })],
  ])('[RFC8705-2.2.2-1] [RFC8705-2.2.2-2] does not take a key behind jwks_uri with %s', async (_, keysOf) => {
    const own = await issue()
    publish(keysOf(own))
    await expectDeclined('pinned-remote', own, 'client_certificate_not_registered')
  })

  it('[RFC8705-2.2.2-2] a key cannot be registered that disagrees with its certificate', async () => {
    const client = { client_id: 'x', token_endpoint_auth_method: 'self_signed_tls_client_auth' } as const
    await expectSettingsRefused({ clients: [{ ...client, jwks: jwksOf(pinned, { x: jwksOf(valid).keys[0]?.x }) }] })
    await expectSettingsRefused({ clients: [{ ...client, jwks: jwksOf(pinned, { x5c: ['AAAA'] }) }] })
  })

  it('is an outage while jwks_uri cannot be fetched', async () => {
    remote.answer = 500
    await server.restart()
    const refusal = await declined(server, ask('pinned-remote', pinned))
    expect(refusal).toMatchObject({ status: 503, error: 'temporarily_unavailable', reason: 'client_keys_unavailable' })
  })
})

describe('[T20] the dates of a certificate', () => {
  it.each(['dn', 'pinned-remote'])('are judged at each request by %s', async (client) => {
    const next = now + 300
    for (const [dates, isGood] of [
      [{ notAfter: next }, true],
      [{ notAfter: next + 299 }, false],
      [{ notBefore: next + 900 }, true],
      [{ notBefore: next + 1201 }, false],
    ] as const) {
      const certificate = await issue(dates)
      publish(jwksOf(certificate))
      if (isGood) expect((await ask(client, certificate)).status).toBe(200)
      else await expectDeclined(client, certificate, 'client_certificate_dates')
    }
  })
})

describe('[T20] a connection that outlives its certificate', () => {
  it.each(['dn', 'client'])('authenticates and binds %s no longer', async (client_id) => {
    const certificate = await issue({ notAfter: now + 60 })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const client_secret = client_id === 'client' ? 'secret' : undefined
    const again = () => server.token({ client_id, client_secret }, { certificate, tls: { agent } })
    server.advance(60)
    expect((await again()).status).toBe(200)
    server.advance(1)
    now = server.freeze()
    const reason = client_id === 'client' ? 'certificate_expired' : 'client_certificate_dates'
    expect((await declined(server, again())).reason).toBe(reason)
    agent.destroy()
  })
})

describe('[T27] a chain of somebody else behind one’s own certificate', () => {
  it('does not count: the leaf says who it is', async () => {
    const evil = await issue({ subject: 'evil', dns: [] })
    for (const [client, victim, reason] of [
      ['dn', valid, 'client_certificate_subject'],
      ['dns', valid, 'client_certificate_subject'],
      ['pinned', pinned, 'client_certificate_not_registered'],
    ] as const)
      await expectDeclined(client, chain(evil, victim), reason)
    const answer = await ask('client', chain(evil, pinned), { client_secret: 'secret' })
    expect(claimsOf(answer.json.access_token)).toMatchObject({ aud: api, cnf: { 'x5t#S256': evil.thumbprint } })
  })
})

function replaced(at: number, part: DistinguishedName[number][number]): DistinguishedName {
  return subject.with(at, [part])
}

function chain(leaf: Pair, ...others: readonly Pair[]): Pair {
  return { key: leaf.key, certificate: [leaf, ...others].map(({ certificate }) => certificate).join('') }
}

function der({ certificate }: Pair): string {
  return new X509Certificate(certificate).raw.toString('base64')
}

async function expectSettingsRefused(changes: Partial<SettingsInput>) {
  const { settings, directory } = server
  const made = createAuthorizationServer({ ...settings, ...changes }, { directory })
  await expect(made).rejects.toMatchObject({ name: 'SettingsError' })
}
