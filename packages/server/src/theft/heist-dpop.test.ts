import { hash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import {
  createDpopContext,
  createMemoryReplay,
  parseJwt,
  parsePublicJwk,
  Refused,
  refusals,
  requireFirstUse,
  thumbprintInput,
  verifyDpopProof,
} from '@holdfast/pop'
import {
  type CertificatePair,
  createCertificateAuthority,
  issueCertificate,
  nodePrimitives,
} from '@holdfast/pop/certificates'
import { createTestProofKey } from '@holdfast/pop/testing'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { tryThefts } from './heist.ts'

/** An API of a DPoP-bound token, and what it forgets. */
interface Forgetful {
  readonly replay?: 'never' | 'late'
  readonly address?: true
  readonly method?: true
  readonly token?: true
  readonly time?: true
  readonly key?: true
  readonly signature?: true
  readonly proof?: true
  readonly scheme?: true
  /** It takes the key of the first proof, and the rest of the last one. */
  readonly several?: true
  readonly nonces?: true
}

describe('trying to steal a DPoP-bound token', () => {
  const owner = createTestProofKey()
  let ca: CertificatePair
  let tls: CertificatePair
  let running: Server | undefined

  beforeAll(async () => {
    ca = await createCertificateAuthority({ name: 'API CA' })
    tls = await issueCertificate({ subject: 'localhost', issuer: ca, keyType: 'P-256', dns: ['localhost'] })
  })
  afterEach(() => running?.close())

  async function steal(forgets: Forgetful, { jkt = owner.thumbprint, known = true, token = 'handle' } = {}) {
    const api = createApi(jkt, forgets)
    const server = createServer({ cert: tls.certificate, key: tls.key }, (request, response) => {
      api(request).then(
        () => response.end(),
        (error: unknown) => {
          const { reason, nonce } = error instanceof Refused ? error : { reason: 'server_error' as const }
          response.writeHead(error instanceof Refused ? 401 : 500, {
            'www-authenticate': `DPoP error="${refusals[reason].error}", error_description="${reason}"`,
            ...(nonce !== undefined && { 'dpop-nonce': nonce }),
          })
          response.end()
        },
      )
    })
    running = server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = new URL(`https://localhost:${(server.address() as AddressInfo).port}/orders?of=alice`)
    const loot = { token, url, ca: ca.certificate, name: 'owner', ...(known && { proofKey: owner }) }
    const { safe, owner: control, thefts } = await tryThefts(loot)
    const outcomes = Object.fromEntries(thefts.map(({ name, outcome }) => [name, outcome]))
    const reasons = Object.fromEntries(
      thefts.map(({ name, attempts }) => [name, [...new Set(attempts.map(({ answer }) => answer))]]),
    )
    return { safe, owner: control?.outcome, outcomes, reasons }
  }

  const allRefused = {
    'no proof': 'refused',
    'as Bearer': 'refused',
    'foreign key': 'refused',
    'replayed proof': 'refused',
    'other address': 'refused',
    'other method': 'refused',
    'other token': 'refused',
    'stale proof': 'refused',
    'two proofs': 'refused',
  }

  it.each([
    ['asks for no nonce', {}],
    ['asks for nonces', { nonces: true }],
  ] as const)('finds nothing at an API that checks everything and %s', async (_, forgets) => {
    const { safe, owner: control, outcomes } = await steal(forgets)
    expect({ safe, control, outcomes }).toEqual({ safe: true, control: 'admitted', outcomes: allRefused })
  })

  it.each([
    ['asks for no nonce', {}, ['dpop_stale', 'dpop_early']],
    ['asks for nonces', { nonces: true }, ['dpop_nonce_missing']],
  ] as const)('is refused for what each theft is about, at an API that %s', async (_, forgets, stale) => {
    expect((await steal(forgets)).reasons).toEqual({
      'no proof': ['dpop_missing'],
      'as Bearer': ['token_is_dpop'],
      'foreign key': ['confirmation_proof_differs', 'dpop_signature'],
      'replayed proof': ['dpop_replayed'],
      'other address': ['dpop_url_differs'],
      'other method': ['dpop_method_differs'],
      'other token': ['dpop_token_differs'],
      'stale proof': stale,
      'two proofs': ['dpop_repeated'],
    })
  })

  it.each([
    ['remembers no proof', { replay: 'never' }, 'replayed proof'],
    ['looks first and remembers later', { replay: 'late' }, 'replayed proof'],
    ['takes proofs for any address', { address: true }, 'other address'],
    ['takes proofs for any method', { method: true }, 'other method'],
    ['takes proofs for any token', { token: true }, 'other token'],
    ['takes proofs of any age', { time: true }, 'stale proof'],
    ['takes proofs by any key', { key: true }, 'foreign key'],
    ['checks no signature', { signature: true }, 'foreign key'],
    ['asks for no proof', { proof: true }, 'no proof'],
    ['takes the token as Bearer', { scheme: true }, 'as Bearer'],
    ['takes the key of one proof and the rest of another', { several: true }, 'two proofs'],
  ] as const)('finds the API that %s, and nothing else', async (_, forgets, name) => {
    const { safe, owner: control, outcomes } = await steal(forgets)
    expect({ safe, control, outcomes }).toEqual({
      safe: false,
      control: 'admitted',
      outcomes: { ...allRefused, [name]: 'admitted' },
    })
  })

  it('tries what it can where the key of the owner is not known', async () => {
    const {
      safe,
      owner: control,
      outcomes,
    } = await steal({}, { known: false, token: jwtOf({ jkt: owner.thumbprint }) })
    expect({ safe, control }).toEqual({ safe: true, control: undefined })
    expect(outcomes).toMatchObject({ 'no proof': 'refused', 'foreign key': 'refused', 'replayed proof': 'untried' })
  })

  it.each([
    ['a JWT that is bound to a DPoP key', { jkt: 'x' }, [false, true]],
    ['a JWT that is bound to a certificate', { 'x5t#S256': 'x' }, [true, false]],
    ['a JWT that is bound to neither', undefined, [true, true]],
  ] as const)('tries the thefts that fit %s', async (_, cnf, [certificate, dpop]) => {
    const tried = Object.keys((await steal({}, { known: false, token: jwtOf(cnf) })).outcomes)
    expect([tried.includes('no certificate'), tried.includes('no proof')]).toEqual([certificate, dpop])
  })

  it('tries all thefts with a reference token of which nothing is known', async () => {
    const tried = Object.keys((await steal({}, { known: false })).outcomes)
    expect(tried).toEqual(expect.arrayContaining(['no certificate', 'as DPoP', 'no proof', 'two proofs']))
  })

  it('shows nothing at an API that refuses the owner too', async () => {
    const { safe, owner: control, outcomes } = await steal({}, { jkt: createTestProofKey().thumbprint })
    expect({ safe, control }).toEqual({ safe: false, control: 'refused' })
    expect(outcomes).toMatchObject({ 'no proof': 'refused', 'replayed proof': 'unclear' })
  })
})

function jwtOf(cnf: object | undefined): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'ES256' })}.${part({ cnf })}.${'A'.repeat(86)}`
}

/** Admits, or rejects with the reason. */
function createApi(jkt: string, forgets: Forgetful) {
  const replay = createMemoryReplay()
  const late = new Set<string>()
  const policy = { algorithms: ['ES256'], nonces: forgets.nonces ? 'required' : 'off' } as const

  return async (request: IncomingMessage): Promise<void> => {
    const [scheme, accessToken = ''] = request.headers.authorization?.split(' ') ?? []
    const sent = request.headersDistinct.dpop ?? []
    if (scheme !== 'DPoP' && !forgets.scheme) throw new Refused('token_is_dpop')
    if (scheme !== 'DPoP') return
    if (sent.length === 0 && forgets.proof) return
    if (sent.length === 0) throw new Refused('dpop_missing')
    const [proof = ''] = sent
    const seen = parseJwt(proof)?.claims ?? {}
    const iat = Number(seen.iat)
    const verify = forgets.signature ? () => true : nodePrimitives.verify
    const { possession, use } = await verifyDpopProof(
      forgets.several ? sent.slice(-1) : sent,
      {
        method: forgets.method ? String(seen.htm) : (request.method ?? ''),
        url: forgets.address ? String(seen.htu) : `https://${request.headers.host}${request.url}`,
        ...(!forgets.token && { accessToken }),
      },
      policy,
      createDpopContext(new Uint8Array(32), {
        now: () => (forgets.time ? iat : Math.floor(Date.now() / 1000)),
        primitives: { ...nodePrimitives, verify },
      }),
    )
    const thumbprint = forgets.several ? thumbprintIn(proof) : possession.thumbprint
    if (thumbprint !== jkt && !forgets.key) throw new Refused('confirmation_proof_differs')
    if (forgets.replay === 'never') return
    if (forgets.replay === 'late') {
      if (late.has(use.key)) throw new Refused('dpop_replayed')
      await pause(50)
      late.add(use.key)
      return
    }
    await requireFirstUse(use, replay, Math.floor(Date.now() / 1000))
  }
}

function thumbprintIn(proof: string): string {
  const jwk = parsePublicJwk(parseJwt(proof)?.header.jwk)
  return jwk ? hash('sha256', thumbprintInput(jwk), 'base64url') : ''
}
