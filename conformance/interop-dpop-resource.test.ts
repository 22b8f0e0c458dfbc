import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { createServer, Agent as HttpsAgent, type Server } from 'node:https'
import { createClient, createProofKey, type NodeClient } from '@holdfast/pop/client/node'
import { createGuard, protect, tlsOptions } from '@holdfast/pop/resource/node'
import { generateKeyPair, generateProof, type KeyPair } from 'dpop'
import express from 'express'
import { auth } from 'express-oauth2-jwt-bearer'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, freePort, type Harness, startServer } from './harness.ts'
import { createOpenidClients, type OpenidClients } from './openid-flow.ts'

const algorithms = ['ES256', 'Ed25519', 'PS256', 'ML-DSA-44'] as const
let server: Harness
let clients: OpenidClients
const servers: Server[] = []
const own: NodeClient[] = []

beforeAll(async () => {
  server = await startServer()
  clients = createOpenidClients(server)
})
afterAll(async () => {
  await Promise.all(own.map((client) => client.close()))
  await clients.close()
  for (const one of servers) {
    one.close()
    one.closeAllConnections()
  }
  await server.close()
})

describe.each(['off', 'required', 'on-skew'] as const)('our guard, nonces %s', (nonces) => {
  let origin = ''
  const reasons: (string | undefined)[] = []
  beforeAll(async () => {
    origin = await listen((at) => {
      const options = { issuer: server.issuer, identifier: api, origin: at, dpop: { nonces } } as const
      const fetch = clients.fetchWith() as typeof globalThis.fetch
      const guard = createGuard(options, { fetch, report: ({ reason }) => reasons.push(reason) })
      return protect(guard, (_, response, { token }) => response.end(token.clientId))
    })
  })

  it.each(algorithms)('takes the proofs of openid-client by %s', async (alg) => {
    reasons.length = 0
    const { config, dpop, access_token } = await signedUp(alg)
    const call = (method: string, path: string) => {
      const body = method === 'GET' ? undefined : 'text'
      const url = new URL(path, origin)
      return openid.fetchProtectedResource(config, access_token, url, method, body, undefined, { DPoP: dpop })
    }
    expect(await (await call('GET', '/')).text()).toBe('client')
    expect((await call('POST', '/notes/1?draft=true#top')).status).toBe(200)
    expect((await call('DELETE', '/a%20b/%C3%A4;c=1,2')).status).toBe(200)
    expect(reasons).toEqual(nonces === 'required' ? ['dpop_nonce_missing'] : [])
  })

  it('takes the proofs of oauth4webapi, which reads our challenge', async () => {
    const { access_token, key } = await signedUp()
    const dpop = oauth.DPoP({}, key)
    const call = () =>
      oauth.protectedResourceRequest(access_token, 'GET', new URL('/', origin), undefined, undefined, {
        DPoP: dpop,
        [oauth.customFetch]: clients.fetchWith(),
      })
    if (nonces === 'required') {
      const error = await call().catch((caught: unknown) => caught)
      expect(oauth.isDPoPNonceError(error)).toBe(true)
    }
    expect((await call()).status).toBe(200)
    expect((await call()).status).toBe(200)
  })

  it.each(['ES256', 'Ed25519', 'PS256'] as const)('takes the proofs of dpop by %s, each once', async (alg) => {
    const { access_token, key } = await signedUp(alg)
    const fetch = clients.fetchWith()
    const send = async (proof: string) => {
      const headers = { authorization: `DPoP ${access_token}`, dpop: proof }
      return await fetch(`${origin}/`, { method: 'GET', headers, body: null, redirect: 'manual' })
    }
    const prove = (nonce?: string) => generateProof(key, `${origin}/`, 'GET', nonce, access_token)
    const nonce = nonces === 'off' ? undefined : (await send(await prove())).headers.get('dpop-nonce')
    const proof = await prove(nonce ?? undefined)
    expect((await send(proof)).status).toBe(200)
    const again = await send(proof)
    expect(again.status).toBe(401)
    expect(again.headers.get('www-authenticate')).toMatch(/^DPoP .*error="invalid_dpop_proof"/)
  })

  it('takes the proofs of a clock that is two minutes off by a nonce, where it gives one', async () => {
    const { config, access_token, key } = await signedUp()
    const skewed = oauth.DPoP({ [oauth.clockSkew]: -120 }, key)
    const calling = openid.fetchProtectedResource(config, access_token, new URL(origin), 'GET', null, undefined, {
      DPoP: skewed,
    })
    if (nonces === 'off') await expect(calling).rejects.toMatchObject({ status: 401 })
    else expect((await calling).status).toBe(200)
  })

  it('is told apart by openid-client when the key is another one', async () => {
    const { config, access_token } = await signedUp()
    const { dpop } = await signedUp()
    const calling = openid.fetchProtectedResource(config, access_token, new URL(origin), 'GET', null, undefined, {
      DPoP: dpop,
    })
    await expect(calling).rejects.toMatchObject({
      status: 401,
      cause: [{ scheme: 'dpop', parameters: { error: 'invalid_token' } }],
    })
  })
})

describe('oauth4webapi in front of an API', () => {
  let origin = ''
  beforeAll(async () => {
    const options = { [oauth.customFetch]: clients.fetchWith() }
    const issuer = new URL(server.issuer)
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
    const metadata = await oauth.processDiscoveryResponse(issuer, found)
    origin = await listen((at) => async ({ method = '', url = '', headers }, response) => {
      const request = new Request(`${at}${url}`, { method, headers: Object.entries(headers).map(pair) })
      try {
        const claims = await oauth.validateJwtAccessToken(metadata, request, api, { ...options, requireDPoP: true })
        response.end(claims.client_id)
      } catch (error) {
        response.writeHead(401).end(String(error))
      }
    })
  })

  it.each(algorithms)('takes our tokens and the proofs of our client by %s', async (alg) => {
    const client = await ourClient(alg)
    for (const path of ['/', '/notes/1?draft=true', '/a%20b/%C3%A4;c=1,2']) {
      const answer = await client.fetch(`${origin}${path}`)
      expect([path, answer.status, await answer.text()]).toEqual([path, 200, 'client'])
    }
  })

  it('refuses our token with the proof of another client of ours', async () => {
    const { access_token } = await (await ourClient()).token()
    const key = await generateKeyPair('ES256')
    expect(await statusWith(origin, access_token, key)).toBe(401)
  })
})

describe('express-oauth2-jwt-bearer in front of an API', () => {
  let origin = ''
  const agent = () => new HttpsAgent({ ca: server.ca })
  beforeAll(async () => {
    origin = await listen(() => {
      const app = express()
      const options = { issuer: server.issuer, jwksUri: `${server.issuer}/jwks`, audience: api, agent: agent() }
      app.use(auth({ ...options, tokenSigningAlg: 'ES256', dpop: { enabled: true, required: true } }))
      app.use(({ auth: verified }: Verified, response: { end(text: string): void }) => {
        response.end(String(verified?.payload.client_id))
      })
      return app
    })
  })

  it('takes our tokens and the proofs of our client', async () => {
    const client = await ourClient()
    for (const path of ['/', '/notes/1?draft=true', '/a%20b/%C3%A4;c=1,2']) {
      const answer = await client.fetch(`${origin}${path}`)
      expect([path, answer.status, await answer.text()]).toEqual([path, 200, 'client'])
    }
    expect((await client.fetch(`${origin}/`, { method: 'POST', body: 'text' })).status).toBe(200)
  })

  it('refuses our token with the proof of another key, as Bearer, and without a proof', async () => {
    const { access_token } = await (await ourClient()).token()
    expect(await statusWith(origin, access_token, await generateKeyPair('ES256'))).toBe(401)
    const fetch = clients.fetchWith()
    for (const scheme of ['Bearer', 'DPoP']) {
      const headers = { authorization: `${scheme} ${access_token}` }
      const answer = await fetch(`${origin}/`, { method: 'GET', headers, body: null, redirect: 'manual' })
      expect(answer.status).toBeGreaterThanOrEqual(400)
    }
  })
})

/** What express-oauth2-jwt-bearer leaves with a request. */
interface Verified {
  readonly auth?: { readonly payload: { readonly client_id?: unknown } }
}

/** openid-client with a token that is bound to a new key. */
async function signedUp(alg: string = 'ES256') {
  const config = await clients.discover('client', openid.ClientSecretBasic('secret'))
  const key = (await openid.randomDPoPKeyPair(alg)) as KeyPair
  const dpop = openid.getDPoPHandle(config, key)
  const { access_token } = await openid.clientCredentialsGrant(config, { scope: 'api1' }, { DPoP: dpop })
  return { config, key, dpop, access_token }
}

async function ourClient(alg: (typeof algorithms)[number] = 'ES256'): Promise<NodeClient> {
  const registered = { client_id: 'client', client_secret: 'secret', scope: 'api1' }
  const proofKey = await createProofKey(alg)
  const client = createClient({ issuer: server.issuer, ...registered, ca: server.ca, binding: 'dpop', proofKey })
  own.push(client)
  return client
}

/** What a token is worth with the proof of this key. */
async function statusWith(origin: string, access_token: string, key: KeyPair): Promise<number> {
  const dpop = await generateProof(key, `${origin}/`, 'GET', undefined, access_token)
  const headers = { authorization: `DPoP ${access_token}`, dpop }
  const answer = await clients.fetchWith()(`${origin}/`, { method: 'GET', headers, body: null, redirect: 'manual' })
  return answer.status
}

/** @returns the origin of an API with the server's certificate */
async function listen(listenerAt: (origin: string) => RequestListener): Promise<string> {
  const { certificate: cert, key } = server.settings.listen.public
  const port = await freePort()
  const origin = `https://localhost:${port}`
  const one = createServer({ ...tlsOptions, cert, key }, listenerAt(origin))
  servers.push(one)
  one.listen(port, '127.0.0.1')
  await once(one, 'listening')
  return origin
}

function pair([name, value]: [string, string | readonly string[] | undefined]): [string, string] {
  return [name, String(value)]
}
