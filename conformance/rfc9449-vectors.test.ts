import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Reason, refusals } from '@holdfast/pop'
import { createTestProofKey, signProof } from '@holdfast/pop/testing'
import type { SettingsInput } from 'holdfast'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, claimsOf, type Harness, startServer } from './harness.ts'

/** As `vectors/README.md` says. */
interface Vector {
  readonly id: string
  readonly title: string
  readonly request: {
    readonly method: string
    readonly url: string
    readonly headers: { readonly dpop: readonly string[]; readonly authorization?: readonly string[] }
  }
  readonly policy: { readonly algorithms: readonly string[]; readonly nonces: 'off' | 'required' | 'on-skew' }
  readonly clock: number
  readonly after?: string
  readonly outcome: 'accepted' | Reason
  readonly thumbprint?: string
}

const { vectors, nonces } = read('dpop-proofs.json') as {
  readonly vectors: readonly Vector[]
  readonly nonces: Readonly<Record<string, number>>
}
const algorithms = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']

/**
 * The server of the vectors has their origin, by its settings, and listens on a free port: it never looks at `Host`.
 * Its policies are clients of it. It cannot have issued their nonces, and so says of the good ones what it says of any.
 */
describe.each([
  { name: 'those of one policy', origin: 'https://as.test', isIts: takesDefault, least: 200 },
  { name: 'those that take all algorithms', origin: 'https://as.test', isIts: takesAll, taken: algorithms, least: 10 },
  // The RFC prints two proofs with the same jti, made 45 minutes one after the other.
  ...['token', 'refresh'].map((request) => ({
    name: `the ${request} request that the RFC prints`,
    origin: 'https://server.example.com',
    isIts: ({ id }: Vector) => id === `printed-${request}-request`,
    least: 1,
  })),
])('RFC 9449 §4.3 the vectors over TLS: $name', ({ origin, isIts, least, ...changes }) => {
  const its = vectors.filter(
    (vector) => vector.request.method === 'POST' && vector.request.url === `${origin}/token` && isIts(vector),
  )
  let server: Harness
  beforeAll(async () => {
    server = await startServer((settings) => at(origin, settings, 'taken' in changes ? changes.taken : undefined))
  })
  afterAll(() => server.close())

  it('are some', () => {
    expect(its.length).toBeGreaterThanOrEqual(least)
  })

  it.each(its.map((vector) => [vector.id, vector.title, vector] as const))('%s: %s', async (_, __, vector) => {
    const before = vectors.find(({ id }) => id === vector.after)
    if (before) expect((await ask(server, before)).reason).toMatch(/^(accepted|dpop_replayed)$/)
    const { answer, reason } = await ask(server, vector)
    const outcome = usesNonce(vector) ? 'dpop_nonce_unknown' : vector.outcome
    expect(reason).toBe(outcome)
    expect(answer.status).toBe(outcome === 'accepted' ? 200 : 400)
    if (outcome === 'accepted') {
      expect(answer.json.token_type).toBe('DPoP')
      expect(claimsOf(answer.json.access_token).cnf).toEqual({ jkt: vector.thumbprint })
    } else {
      expect(answer.json.error).toBe(refusals[outcome].error)
      expect('dpop-nonce' in answer.headers).toBe(refusals[outcome].error === 'use_dpop_nonce')
    }
  })
})

describe('incident 12: one verdict for each spelling of an address, over TLS', () => {
  const { target, spellings } = read('target-uris.json') as {
    readonly target: string
    readonly spellings: readonly { readonly url: string; readonly verdict: string; readonly title: string }[]
  }
  const key = createTestProofKey()
  let server: Harness
  beforeAll(async () => {
    server = await startServer((settings) => at('https://as.test', settings))
  })
  afterAll(() => server.close())

  it.each(spellings.map(({ title, url, verdict }) => [title, verdict, url] as const))(
    '%s: %s',
    async (_, verdict, url) => {
      const proof = signProof(key, { method: 'POST', url, now: server.freeze() })
      const { status, json } = await server.token({}, { headers: { dpop: proof } })
      expect([status, json.error]).toEqual(verdict === 'same' ? [200, undefined] : [400, 'invalid_dpop_proof'])
    },
  )

  it('T96: all spellings of the address are one use of a proof', async () => {
    const same = spellings.filter(({ verdict }) => verdict === 'same')
    expect(same[0]?.url).toBe(target)
    const answers: Answer[] = []
    for (const { url } of same) {
      const proof = signProof(key, { method: 'POST', url, now: server.freeze() }, { claims: { jti: 'one' } })
      answers.push(await server.token({}, { headers: { dpop: proof } }))
    }
    expect(answers.map(({ status }) => status)).toEqual([200, ...same.slice(1).map(() => 400)])
  })
})

function takesAll({ policy }: Vector): boolean {
  return policy.algorithms.includes('ML-DSA-87')
}

function takesDefault(vector: Vector): boolean {
  return !takesAll(vector)
}

async function ask(
  server: Harness,
  { clock, policy, request }: Vector,
): Promise<{ readonly answer: Answer; readonly reason: string | undefined }> {
  server.advance(clock - server.freeze())
  const reported = server.reports.length
  const client = { off: 'client', required: 'nonces', 'on-skew': 'skewed' }[policy.nonces]
  const answer = await server.token({ client_id: client }, { headers: { dpop: request.headers.dpop } })
  const refused = server.reports.slice(reported).find(({ event }) => event === 'refused')
  return { answer, reason: refused ? refused.reason : 'accepted' }
}

function at(origin: string, settings: SettingsInput, taken?: readonly string[]): SettingsInput {
  return {
    ...settings,
    issuer: origin,
    listen: { ...settings.listen, public: { ...settings.listen.public, origin } },
    ...(taken && { dpop: { algorithms: taken } }),
    clients: [
      ...(settings.clients ?? []),
      { client_id: 'nonces', client_secret: 'secret', scope: 'api1', dpop_nonces: 'required' },
      { client_id: 'skewed', client_secret: 'secret', scope: 'api1', dpop_nonces: 'on-skew' },
    ],
  } as SettingsInput
}

/** The proof passes by its nonce, which no other server can have issued. */
function usesNonce({ policy, outcome, request }: Vector): boolean {
  const [, claims = ''] = request.headers.dpop[0]?.split('.') ?? []
  const { nonce } = policy.nonces === 'off' || outcome !== 'accepted' ? {} : parse(claims)
  return typeof nonce === 'string' && nonce in nonces
}

function parse(part: string): { readonly nonce?: unknown } {
  return JSON.parse(Buffer.from(part, 'base64url').toString())
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../vectors', name), 'utf8'))
}
