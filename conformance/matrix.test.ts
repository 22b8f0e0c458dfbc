import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { createTestProofKey, type TestProofKey } from '@holdfast/pop/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allow, api, callback, redeem, startPeopleServer } from './authorized.ts'
import { createVerifier, openBrowser } from './browser.ts'
import { proofFor, sha256, userinfoWith } from './dpop.ts'
import { type Answer, assertion, assertionType, declined, type Harness } from './harness.ts'

const client = 'all'
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'
const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'
const generated = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = generated.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

let server: Harness
beforeAll(async () => {
  const everything = {
    redirect_uris: [callback],
    grant_types: ['client_credentials', 'authorization_code', 'refresh_token', deviceGrant, exchangeGrant],
    scope: 'openid offline_access api1',
    introspects: [api],
  } as const
  server = await startPeopleServer((settings) => ({
    ...settings,
    clients: [
      ...(settings.clients ?? []),
      { ...everything, client_id: client, client_secret: 'secret' },
      { ...everything, client_id: 'all-reference', client_secret: 'secret', access_token_format: 'reference' },
      {
        client_id: 'by-key',
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [generated.publicKey.export({ format: 'jwk' }) as { kty: string }] },
        scope: 'api1',
      },
    ],
  }))
})
afterAll(() => server.close())

const scope = 'openid offline_access api1'
const begin = async (as = client) =>
  (await redeem(server, allow(server, { client: as, scope }).form, { client: as })).json
const asked = { response_type: 'code', redirect_uri: callback, scope: 'api1', code_challenge_method: 'S256' }
const device = () => server.post('/device_authorization', { client_id: client, client_secret: 'secret' })
const cookieOf = async (name: string): Promise<string> => {
  const browser = openBrowser(server)
  const { challenge } = createVerifier()
  const page = await browser.authorize({ ...asked, client_id: client, code_challenge: challenge })
  await browser.submit(page, { username: 'alice', password: 'alice' })
  return browser.cookies.get(name) ?? ''
}

/** Everything that is handed out, made anew. */
const artefacts: Readonly<Record<string, () => Promise<string> | string>> = {
  'a code': () => allow(server, { client, scope }).code,
  'a JWT access token': async () => (await begin()).access_token,
  'a reference access token': async () => (await begin('all-reference')).access_token,
  'a refresh token': async () => (await begin()).refresh_token,
  'an ID token': async () => (await begin()).id_token,
  'a device code': async () => (await device()).json.device_code,
  'a user code': async () => (await device()).json.user_code,
  'a request_uri': async () => {
    const { challenge: code_challenge } = createVerifier()
    return (await server.post('/par', { ...asked, client_id: client, client_secret: 'secret', code_challenge })).json
      .request_uri
  },
  'the handle in a request_uri': async () => (await artefacts['a request_uri']?.())?.replace(/^.*:/, '') ?? '',
  'the id of a session': () => cookieOf('__Host-session'),
  'the secret of a browser': () => cookieOf('__Host-browser'),
  'the id of a flow': async () => {
    const { challenge: code_challenge } = createVerifier()
    return (await openBrowser(server).authorize({ ...asked, client_id: client, code_challenge })).form.fields.flow ?? ''
  },
  'the id of an authorization': () => allow(server, { client }).authorizationId,
  'a client assertion': () => {
    const iat = server.freeze()
    return assertion(key, 'by-key', server.issuer, { claims: { iat, exp: iat + 60 } })
  },
  'a signed introspection': async () => {
    const { access_token: token } = await begin()
    const headers = { accept: 'application/token-introspection+jwt' }
    return (await server.post('/introspect', { client_id: client, client_secret: 'secret', token }, { headers })).text
  },
}

const post = (form: Readonly<Record<string, string>>, path = '/token') =>
  server.post(path, { client_id: client, client_secret: 'secret', ...form })
const verifier = createVerifier().verifier

/** Every place that takes something, and what it is there for. */
const places: Readonly<
  Record<string, { readonly takes: readonly string[]; readonly present: (text: string) => Promise<Answer> }>
> = {
  'as a code': {
    takes: ['a code'],
    present: (code) =>
      post({ grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier }),
  },
  'as a refresh token': {
    takes: ['a refresh token'],
    present: (refresh_token) => post({ grant_type: 'refresh_token', refresh_token }),
  },
  'as a device code': {
    takes: ['a device code'],
    present: (device_code) => post({ grant_type: deviceGrant, device_code }),
  },
  'as a subject token': {
    takes: ['a JWT access token', 'a reference access token'],
    present: (subject_token) =>
      post({ grant_type: exchangeGrant, subject_token, subject_token_type: accessTokenType, scope: 'api1' }),
  },
  'at introspection': {
    takes: ['a JWT access token', 'a reference access token'],
    present: (token) => post({ token }, '/introspect'),
  },
  'at UserInfo': {
    takes: ['a JWT access token', 'a reference access token'],
    present: (token) =>
      server.send({ on: 'public', method: 'GET', path: '/userinfo', headers: { authorization: `Bearer ${token}` } }),
  },
  'as a request_uri': {
    takes: ['a request_uri'],
    present: (request_uri) => openBrowser(server).authorize({ client_id: client, request_uri }),
  },
  'as the handle of a request_uri': {
    takes: ['the handle in a request_uri'],
    present: (handle) =>
      openBrowser(server).authorize({ client_id: client, request_uri: `urn:ietf:params:oauth:request_uri:${handle}` }),
  },
  'as a request object': {
    takes: [],
    present: (request) => openBrowser(server).authorize({ client_id: client, request }),
  },
  'as a client assertion': {
    takes: ['a client assertion'],
    present: (client_assertion) =>
      server.post('/token', {
        grant_type: 'client_credentials',
        client_assertion,
        client_assertion_type: assertionType,
      }),
  },
  'as a secret': {
    takes: [],
    present: (client_secret) =>
      server.post('/token', { grant_type: 'client_credentials', client_id: client, client_secret }),
  },
  'as the flow of a form': {
    takes: [],
    present: (flow) =>
      openBrowser(server).post('/sign-in', { flow, csrf: 'A'.repeat(43), username: 'alice', password: 'alice' }),
  },
  'as a user code': {
    takes: ['a user code'],
    present: async (user_code) => {
      const browser = openBrowser(server)
      return await browser.submit(await browser.get('/device'), { user_code }, { from: nextAddress() })
    },
  },
  'as a session': {
    takes: ['the id of a session'],
    present: async (id) => {
      const { challenge: code_challenge } = createVerifier()
      const query = new URLSearchParams({ ...asked, client_id: client, code_challenge, prompt: 'none' })
      const headers = { cookie: `__Host-session=${id}` }
      return await server.send({ on: 'public', method: 'GET', path: `/authorize?${query}`, headers })
    },
  },
}

let address = 1
const nextAddress = () => `127.0.1.${++address}`

/** Whether a place took what it was shown: an answer that is more than an error. */
function isTaken({ status, headers, json }: Answer): boolean {
  const { location = '' } = headers
  if (location !== '') return !/[?&]error=/.test(location) || /[?&]error=consent_required/.test(location)
  return status === 200 ? json.active !== false : json.error === 'authorization_pending'
}

describe.each(Object.entries(places))('[T71] [incident 42] %s', (_, { takes, present }) => {
  it.each(Object.entries(artefacts))('%s', async (artefact, make) => {
    const text = await make()
    expect(text.length).toBeGreaterThan(8)
    // A code is only taken with its verifier: what counts here is that it was found.
    const answer = await present(text)
    if (artefact === 'a code' && takes.includes(artefact)) {
      expect(server.reports.at(-1)).toMatchObject({ reason: 'code_verifier_wrong' })
    } else expect(isTaken(answer)).toBe(takes.includes(artefact))
  })
})

describe('[incident 55] what is shown in the wrong places is not used up', () => {
  const showEverywhere = async (text: string, own: string) => {
    for (const [name, { present }] of Object.entries(places)) if (name !== own) await present(text)
    await post({ token: text }, '/revoke')
  }

  it('a code', async () => {
    const { code, form } = allow(server, { client, scope })
    await showEverywhere(code, 'as a code')
    expect((await redeem(server, form, { client })).status).toBe(200)
  })

  it('a device code', async () => {
    const { device_code } = (await device()).json
    await showEverywhere(device_code, 'as a device code')
    expect((await post({ grant_type: deviceGrant, device_code })).json.error).toBe('authorization_pending')
  })

  it('a request_uri', async () => {
    const request_uri = (await artefacts['a request_uri']?.()) ?? ''
    await showEverywhere(request_uri, 'as a request_uri')
    expect((await openBrowser(server).authorize({ client_id: client, request_uri })).status).toBe(200)
  })

  it('a refresh token, but at revocation', async () => {
    const { refresh_token } = await begin()
    for (const [name, { present }] of Object.entries(places))
      if (name !== 'as a refresh token') await present(refresh_token)
    expect((await post({ grant_type: 'refresh_token', refresh_token })).status).toBe(200)
  })
})

describe('[incident 16] a token that is bound', () => {
  let certificate: CertificatePair
  let proofKey: TestProofKey
  beforeAll(async () => {
    certificate = await createClientCertificate({ name: 'phone', keyType: 'P-256' })
    proofKey = createTestProofKey()
  })

  const cnfs = {
    none: () => null,
    x5t: () => ({ 'x5t#S256': certificate.thumbprint }),
    jkt: () => ({ jkt: proofKey.thumbprint }),
    both: () => ({ 'x5t#S256': certificate.thumbprint, jkt: proofKey.thumbprint }),
  } as const
  const shown = {
    nothing: [],
    'a certificate': ['certificate'],
    'a proof': ['proof'],
    both: ['certificate', 'proof'],
  } as const

  /** A reference token whose `cnf` is what it shall be: we give out none with two members. */
  async function tokenWith(cnf: object | null): Promise<string> {
    const { access_token } = await begin('all-reference')
    const database = new DatabaseSync(join(server.directory, 'holdfast.db'), { timeout: 5000 })
    database
      .prepare('update reference_token set confirmation = ? where hash = ?')
      .run(cnf && JSON.stringify(cnf), sha256(access_token))
    database.close()
    return access_token
  }

  it.each([
    ['none', 'nothing', undefined],
    ['none', 'a certificate', undefined],
    ['none', 'a proof', undefined],
    ['none', 'both', undefined],
    ['x5t', 'nothing', 'confirmation_certificate_missing'],
    ['x5t', 'a certificate', undefined],
    ['x5t', 'a proof', 'confirmation_certificate_missing'],
    ['x5t', 'both', undefined],
    ['jkt', 'nothing', 'dpop_missing'],
    ['jkt', 'a certificate', 'dpop_missing'],
    ['jkt', 'a proof', undefined],
    ['jkt', 'both', undefined],
    ['both', 'nothing', 'dpop_missing'],
    ['both', 'a certificate', 'dpop_missing'],
    ['both', 'a proof', 'confirmation_certificate_missing'],
    ['both', 'both', undefined],
  ] as const)('to %s is shown with %s at UserInfo', async (cnf, what, reason) => {
    const accessToken = await tokenWith(cnfs[cnf]())
    const parts: readonly string[] = shown[what]
    const at = {
      path: '/userinfo',
      method: 'GET',
      accessToken,
      on: parts.includes('certificate') ? 'mutualTls' : 'public',
    } as const
    const asked = userinfoWith(
      server,
      accessToken,
      parts.includes('proof') ? proofFor(server, proofKey, at) : undefined,
      {
        scheme: cnf === 'jkt' || cnf === 'both' ? 'DPoP' : 'Bearer',
        ...(parts.includes('certificate') && { certificate }),
      },
    )
    if (reason === undefined) expect((await asked).status).toBe(200)
    else expect(await declined(server, asked)).toMatchObject({ status: 401, reason })
  })
})
