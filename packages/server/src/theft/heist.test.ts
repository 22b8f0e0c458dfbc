import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import {
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  issueCertificate,
} from '@holdfast/pop/certificates'
import { clientCertificateTlsOptions } from '@holdfast/pop/resource/node'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { tryThefts } from './heist.ts'
import { judge } from './judge.ts'

describe('trying to steal a token', () => {
  let ca: CertificatePair
  let api: CertificatePair
  let owner: CertificatePair
  let running: Server | undefined

  beforeAll(async () => {
    ca = await createCertificateAuthority({ name: 'API CA' })
    api = await issueCertificate({ subject: 'localhost', issuer: ca, keyType: 'P-256', dns: ['localhost'] })
    owner = await createClientCertificate({ name: 'owner', keyType: 'P-256' })
  })
  afterEach(() => running?.close())

  /** An API that decides by `isOwner` alone, and the thefts tried on it. */
  async function steal(
    isOwner: (request: IncomingMessage) => boolean,
    options: ServerOptions = clientCertificateTlsOptions,
    authority = ca,
  ) {
    const server = createServer({ ...options, cert: api.certificate, key: api.key }, answer(isOwner)).listen(
      0,
      '127.0.0.1',
    )
    running = server
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const { certificate, key } = owner
    const url = new URL(`https://localhost:${port}/orders`)
    const heist = await tryThefts({ token: 'handle', url, ca: authority.certificate, certificate, key, name: 'owner' })
    const outcomes = Object.fromEntries(heist.thefts.map(({ name, outcome }) => [name, outcome]))
    return { safe: heist.safe, owner: heist.owner?.outcome, outcomes }
  }

  const allRefused = {
    'no certificate': 'refused',
    'same name': 'refused',
    'borrowed chain': 'refused',
    'forged header': 'refused',
    'resumed session': 'refused',
    'as DPoP': 'refused',
  }

  it('finds nothing at an API that compares the certificate of the connection', async () => {
    const found = await steal((request) => fingerprintOf(request) === digest(owner))
    expect(found).toEqual({ safe: true, owner: 'admitted', outcomes: allRefused })
  })

  it('finds everything at an API that looks at the token only', async () => {
    const { safe, outcomes } = await steal(() => true)
    expect({ safe, ...outcomes }).toMatchObject({
      safe: false,
      'no certificate': 'admitted',
      'same name': 'admitted',
      'as DPoP': 'admitted',
    })
  })

  it('finds the API that compares names', async () => {
    const found = await steal((request) => peerOf(request)?.subject === 'CN=owner')
    expect(found).toMatchObject({
      safe: false,
      outcomes: { ...allRefused, 'same name': 'admitted', 'borrowed chain': 'admitted' },
    })
  })

  it.each(['client-cert', 'x-ssl-cert', 'x-forwarded-client-cert'])(
    'finds the API that believes %s of anybody',
    async (name) => {
      const found = await steal(
        (request) => request.headers[name] !== undefined || fingerprintOf(request) === digest(owner),
      )
      expect(found).toMatchObject({ safe: false, outcomes: { ...allRefused, 'forged header': 'admitted' } })
    },
  )

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('finds the API that resumes sessions of %s', async (version) => {
    const found = await steal((request) => fingerprintOf(request) === digest(owner), {
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
    })
    expect(found).toEqual({
      safe: false,
      owner: 'admitted',
      outcomes: { ...allRefused, 'resumed session': 'admitted' },
    })
  })

  it('finds the API that takes any proof in place of the certificate', async () => {
    const found = await steal(
      (request) => request.headers.dpop !== undefined || fingerprintOf(request) === digest(owner),
    )
    expect(found).toMatchObject({ safe: false, outcomes: { ...allRefused, 'as DPoP': 'admitted' } })
  })

  it('shows nothing at an API that refuses the owner too', async () => {
    expect(await steal(() => false)).toEqual({ safe: false, owner: 'refused', outcomes: allRefused })
  })

  it('sends the token to no server that cannot be trusted, whatever the environment says', async () => {
    let asked = 0
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      const heist = steal(() => ++asked > 0, clientCertificateTlsOptions, owner)
      await expect(heist).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    }
    expect(asked).toBe(0)
  })

  it('takes a refused handshake for a refusal', async () => {
    const strict = { requestCert: true, rejectUnauthorized: true, ca: owner.certificate }
    const { safe, outcomes } = await steal((request) => fingerprintOf(request) === digest(owner), {
      ...clientCertificateTlsOptions,
      ...strict,
    })
    expect({ safe, outcomes }).toEqual({ safe: true, outcomes: allRefused })
  })

  it.each([
    [200, '', 'admitted'],
    [204, '', 'admitted'],
    [401, '', 'refused'],
    [401, 'Bearer error="invalid_token"', 'refused'],
    [400, 'Bearer error="invalid_request"', 'refused'],
    [400, '', 'unclear'],
    [403, '', 'refused'],
    [403, 'Bearer error="insufficient_scope"', 'unclear'],
    [302, '', 'unclear'],
    [404, '', 'unclear'],
    [503, '', 'unclear'],
  ])('takes status %i with the challenge "%s" for %s', (status, challenge, outcome) => {
    expect(judge({ status, challenge, nonce: undefined }).outcome).toBe(outcome)
  })
})

function answer(isOwner: (request: IncomingMessage) => boolean) {
  return (request: IncomingMessage, response: ServerResponse) => {
    if (!isOwner(request)) response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' })
    response.end()
  }
}

function peerOf({ socket }: IncomingMessage) {
  return (socket as TLSSocket).getPeerX509Certificate()
}

function fingerprintOf(request: IncomingMessage): string | undefined {
  return peerOf(request)?.fingerprint256
}

function digest({ thumbprint }: CertificatePair): string {
  const hex = Buffer.from(thumbprint, 'base64url').toString('hex').toUpperCase()
  return hex.match(/../g)?.join(':') ?? ''
}
