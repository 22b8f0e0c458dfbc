import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { type CertificatePair, createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import { createClient, createProofKey, type NodeClient, type ProofKey } from '@holdfast/pop/client/node'
import { createGuard, protect, tlsOptions } from '@holdfast/pop/resource/node'
import { generateKeyPair, generateProof } from 'dpop'
import { calculateJwkThumbprint } from 'jose'
import Provider from 'oidc-provider'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, freePort } from './harness.ts'

const scope = 'api1'
const callback = 'https://app.test/callback'
const machine = { client_id: 'machine', client_secret: 'secret-of-the-machine' }
const web = { client_id: 'web', client_secret: 'secret-of-the-web-application' }

/** oidc-provider with DPoP, and an API of ours that takes its tokens. */
interface Running {
  readonly issuer: string
  readonly api: string
  readonly ca: string
  /** Why the provider and the guard declined. */
  readonly declined: string[]
  readonly agent: Agent
}

describe.each([
  ['not used', { nonces: 'off', guarding: 'off' }],
  ['required', { nonces: 'required', guarding: 'required' }],
  ['given and not required', { nonces: 'given', guarding: 'on-skew' }],
] as const)('oidc-provider with DPoP as the issuer of our client, nonces %s', (_, { nonces, guarding }) => {
  let running: Running
  const clients: NodeClient[] = []
  const servers: Server[] = []
  const clientOf = async (registered: { readonly client_id: string }, key?: ProofKey): Promise<Own> => {
    const proofKey = key ?? (await createProofKey())
    const { issuer, ca, api } = running
    const own = registered.client_id === 'machine' ? { scope, resource: api } : {}
    const client = createClient({ issuer, ...registered, ...own, ca, binding: 'dpop', proofKey })
    clients.push(client)
    return { client, jkt: await calculateJwkThumbprint({ ...proofKey.jwk }) }
  }

  beforeAll(async () => {
    running = await start({ nonces, guarding }, servers)
  })
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()))
    await running.agent.close()
    for (const server of servers) {
      server.close()
      server.closeAllConnections()
    }
  })

  it('[RFC9449-5] gives it a token that is bound to its key, and more after the first', async () => {
    const { client, jkt } = await clientOf(machine)
    const first = await client.token()
    expect(first).toMatchObject({ token_type: 'DPoP', confirmation: { jkt } })
    expect(claimsOf(first.access_token).cnf).toEqual({ jkt })
    const before = running.declined.length
    expect((await client.renew()).confirmation).toEqual({ jkt })
    expect(running.declined).toHaveLength(before)
  })

  it('has the token admitted by our guard, with our proofs', async () => {
    const { client } = await clientOf(machine)
    for (const _ of [1, 2]) {
      const answer = await client.fetch(`${running.api}/?a=b`)
      expect(answer.status).toBe(200)
      expect(await answer.json()).toMatchObject({ iss: running.issuer, client_id: 'machine' })
    }
  })

  it('has the token refused by our guard with the proof of another key', async () => {
    const { access_token } = await (await clientOf(machine)).client.token()
    const key = await generateKeyPair('ES256')
    const call = async (nonce?: string) => {
      const dpop = await generateProof(key, `${running.api}/`, 'GET', nonce, access_token)
      const headers = { authorization: `DPoP ${access_token}`, dpop }
      return await undiciFetch(`${running.api}/`, { dispatcher: running.agent, headers })
    }
    const first = await call()
    const nonce = first.headers.get('dpop-nonce')
    const answer = nonce === null ? first : await call(nonce)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"')
  })

  it.each(['Ed25519', 'ES256'] as const)('takes our proofs by %s', async (alg) => {
    const { client, jkt } = await clientOf(machine, await createProofKey(alg))
    expect((await client.token()).confirmation).toEqual({ jkt })
  })

  it('[RFC9449-10] signs a person in by code through PAR; UserInfo and refresh show the key', async () => {
    const { client, jkt } = await clientOf(web)
    const { url, ...pending } = await client.authorize({
      redirect_uri: callback,
      scope: `openid ${scope}`,
      resource: running.api,
    })
    expect(new URL(url).searchParams.get('request_uri')).toMatch(/^urn:/)
    const session = await client.redeem(await visit(url, running), pending)
    expect(session.claims?.sub).toBe('alice')
    expect(await client.userinfo(session)).toMatchObject({ sub: 'alice' })
    const renewed = await client.token({ session, scope, resource: running.api })
    expect(renewed).toMatchObject({ token_type: 'DPoP', confirmation: { jkt } })
    expect((await client.fetch(`${running.api}/`, {}, { session, scope, resource: running.api })).status).toBe(200)
  })
})

interface Own {
  readonly client: NodeClient
  readonly jkt: string
}

interface Wanted {
  readonly nonces: 'off' | 'required' | 'given'
  readonly guarding: 'off' | 'required' | 'on-skew'
}

async function start({ nonces, guarding }: Wanted, servers: Server[]): Promise<Running> {
  const authority = await createCertificateAuthority({ name: 'Harness', keyType: 'P-256' })
  const pair = await issueCertificate({
    subject: 'localhost',
    issuer: authority,
    keyType: 'P-256',
    dns: ['localhost'],
  })
  const [issuerPort, apiPort] = [await freePort(), await freePort()]
  const [issuer, api] = [`https://localhost:${issuerPort}`, `https://localhost:${apiPort}`]
  const ca = authority.certificate
  const agent = new Agent({ connect: { ca } })
  const declined: string[] = []
  const provider = createProvider({ issuer, api, nonces })
  provider.on('grant.error', (_: unknown, error: Error) => declined.push(error.message))
  // as: undici's Response is the one of the platform
  const fetch = ((url: string, options: object) =>
    undiciFetch(url, { ...options, dispatcher: agent })) as unknown as typeof globalThis.fetch
  const guard = createGuard({ issuer, identifier: api, dpop: { nonces: guarding } }, { fetch })
  await listen(servers, pair, issuerPort, signingIn(provider))
  await listen(
    servers,
    pair,
    apiPort,
    protect(guard, (_, response, { token }) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(token.claims))
    }),
  )
  return { issuer, api, ca, declined, agent }
}

async function listen(
  servers: Server[],
  pair: CertificatePair,
  port: number,
  listener: RequestListener,
): Promise<void> {
  const server = createServer({ ...tlsOptions, cert: pair.certificate, key: pair.key }, listener)
  servers.push(server)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}

function createProvider({ issuer, api, nonces }: { issuer: string; api: string; nonces: Wanted['nonces'] }) {
  const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  const common = { id_token_signed_response_alg: 'ES256', dpop_bound_access_tokens: true } as const
  return new Provider(issuer, {
    clients: [
      { ...machine, ...common, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
      { ...web, ...common, grant_types: ['authorization_code', 'refresh_token'], redirect_uris: [callback] },
    ],
    jwks: { keys: [{ ...signing, kty: 'EC', alg: 'ES256', use: 'sig' }] },
    cookies: { keys: ['a-key-of-this-test'] },
    scopes: ['openid', scope],
    ttl: Object.fromEntries(lived.map((kind) => [kind, 600])),
    findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => ({ sub }) }),
    issueRefreshToken: () => true,
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/sign-in/${uid}` },
    async loadExistingGrant({ oidc: { provider, client } }: SigningIn) {
      const grant = new provider.Grant({ accountId: 'alice', clientId: client.clientId })
      grant.addOIDCScope(`openid ${scope}`)
      grant.addResourceScope(api, scope)
      await grant.save()
      return grant
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      dPoP: {
        enabled: true,
        ...(nonces !== 'off' && { nonceSecret: Buffer.alloc(32, 'nonces') }),
        requireNonce: () => nonces === 'required',
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => [],
        getResourceServerInfo: () => ({
          scope,
          audience: api,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  })
}

const lived = ['AccessToken', 'ClientCredentials', 'Grant', 'IdToken', 'Interaction', 'RefreshToken', 'Session']

/** What oidc-provider says of a sign-in; its own types need those of Koa. */
interface SigningIn {
  readonly oidc: {
    readonly client: { readonly clientId: string }
    readonly provider: { readonly Grant: new (of: { accountId: string; clientId: string }) => Grant }
  }
}

interface Grant {
  addOIDCScope(scope: string): void
  addResourceScope(resource: string, scope: string): void
  save(): Promise<string>
}

/** The provider, with a page that signs alice in without asking. */
function signingIn(provider: ReturnType<typeof createProvider>): RequestListener {
  const handle = provider.callback()
  return (request: IncomingMessage, response: ServerResponse) => {
    if (!request.url?.startsWith('/sign-in/')) return void handle(request, response)
    void provider.interactionFinished(request, response, { login: { accountId: 'alice' } })
  }
}

/** A browser: follows redirects with cookies until it is sent to the client. */
async function visit(url: string, { issuer, agent }: Running): Promise<URLSearchParams> {
  const cookies = new Map<string, string>()
  let next = new URL(url)
  while (next.origin === issuer) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await undiciFetch(next, { dispatcher: agent, redirect: 'manual', headers: { cookie } })
    for (const set of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    if (location === null) throw new Error(`${next.pathname} answered ${answer.status} ${await answer.text()}`)
    next = new URL(location, next)
  }
  return next.searchParams
}
