import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../node/primitives.ts'
import { createDpopNonces } from '../proof/dpop-nonce.ts'
import { createMemoryReplay, type Replay } from '../proof/replay.ts'
import { testNow } from '../testing/issuer.ts'
import { signProof } from '../testing/proofs.ts'
import type { GuardReport } from './guard.ts'
import {
  bound,
  foreign,
  guard,
  guardWith,
  issuer,
  judge,
  key,
  own,
  proving,
  reasonOf,
  request,
  thumbprint,
  url,
} from './guard-dpop.fixture.ts'

describe('RFC 9449 §11.1 a proof is used once', () => {
  it('[RFC9449-11.1-2] by one of 64 at once', async () => {
    const asked = request()
    const verdicts = await Promise.all(Array.from({ length: 64 }, () => guard.judge(asked)))
    expect(verdicts.filter((verdict) => verdict.admitted)).toHaveLength(1)
    expect(new Set(verdicts.map(reasonOf))).toEqual(new Set(['admitted', 'dpop_replayed']))
  })

  it('incident 8: however its request and its address are spelled', async () => {
    const proofs = [signProof(key, { method: 'GET', url: 'HTTPS://API.test:443/orders?a', accessToken: bound })]
    expect(await judge({ proofs })).toBe('admitted')
    for (const spelled of [url, `${url}?x=1`, 'https://api.test/%6Frders']) {
      expect(await judge({ proofs, url: spelled })).toBe('dpop_replayed')
    }
  })

  it('incident 7: two keys may take the same jti', async () => {
    const jti = 'the same'
    const token = issuer.accessToken({ claims: { cnf: { jkt: foreign.thumbprint } } })
    const proofs = [signProof(foreign, { method: 'GET', url, accessToken: token }, { claims: { jti } })]
    expect(reasonOf(await guard.judge(proving({}, { claims: { jti } })))).toBe('admitted')
    expect(await judge({ token, proofs })).toBe('admitted')
  })

  it('incident 6: nor by another process that shares the memory', async () => {
    const replay = createMemoryReplay()
    const nodes = [0, 1].map(() => guardWith({ dpop: { replay } }))
    for (let i = 0; i < 4; i++) {
      const asked = request()
      const [first, second] = i % 2 ? nodes.toReversed() : nodes
      expect(first && reasonOf(await first.judge(asked))).toBe('admitted')
      expect(second && reasonOf(await second.judge(asked))).toBe('dpop_replayed')
    }
  })

  it('nor by a guard that tells the age of a proof in the other way', async () => {
    let now = testNow
    const replay = createMemoryReplay()
    const nonceKey = new Uint8Array(32)
    const [byIat, byNonce] = (['off', 'required'] as const).map((nonces) =>
      guardWith({ dpop: { replay, nonces, nonceKey } }, { now: () => now }),
    )
    const nonce = await createDpopNonces(nonceKey, nodePrimitives).issue(testNow)
    for (const [first, second, iat, later] of [
      [byIat, byNonce, testNow, testNow + 100],
      [byNonce, byIat, testNow + 310, testNow + 301],
    ] as const) {
      const asked = proving({ nonce }, { claims: { iat } })
      now = first === byIat ? testNow : testNow + 300
      expect(first && reasonOf(await first.judge(asked))).toBe('admitted')
      now = later
      // Another use lets the memory forget what has ended.
      await byIat?.judge(proving({}, { claims: { iat: now } }))
      expect(second && reasonOf(await second.judge(asked))).toBe('dpop_replayed')
    }
  })

  it('incident 10: what was refused for anything else is not used up', async () => {
    const asked = request()
    const proofs = asked.headers.dpop ?? []
    expect(reasonOf(await guard.judge(asked, { scope: 'more' }))).toBe('scope_insufficient')
    expect(await judge({ proofs, method: 'POST' })).toBe('dpop_method_differs')
    expect(await judge({ proofs, token: `${bound.slice(0, -4)}AAAA` })).toBe('token_signature')
    const other = issuer.accessToken({ claims: { cnf: { jkt: key.thumbprint } } })
    expect(await judge({ proofs, token: other })).toBe('dpop_token_differs')
    const twice = issuer.accessToken({ claims: { cnf: { jkt: key.thumbprint, 'x5t#S256': thumbprint } } })
    const both = { token: twice, proofs: [signProof(key, { method: 'GET', url, accessToken: twice })] }
    expect(await judge(both)).toBe('confirmation_certificate_missing')
    expect(await judge({ ...both, certificate: own })).toBe('admitted')
    expect(reasonOf(await guard.judge(asked))).toBe('admitted')
  })

  it('by a key that is not the token’s it is not used up either', async () => {
    let uses = 0
    const replay: Replay = { use: () => ++uses > 0 }
    const counting = guardWith({ dpop: { replay } })
    await counting.judge(proving({}, {}, foreign))
    expect(uses).toBe(0)
    expect(reasonOf(await counting.judge(request()))).toBe('admitted')
    expect(uses).toBe(1)
  })
})

describe('a replay memory that fails', () => {
  const failing: Readonly<Record<string, Replay>> = {
    'that throws': {
      use: () => {
        throw new Error('no database')
      },
    },
    'that rejects': { use: () => Promise.reject(new Error('no database')) },
    'that is full': createMemoryReplay({ capacity: 0 }),
  }

  it.each(Object.entries(failing))('%s: 503, and nobody passes', async (_, replay) => {
    const reports: GuardReport[] = []
    const closed = guardWith({ dpop: { replay } }, { report: (report) => reports.push(report) })
    for (let i = 0; i < 3; i++) {
      expect(await closed.judge(request())).toMatchObject({
        reason: 'replay_unavailable',
        status: 503,
        retryAfter: 2,
        challenges: [],
      })
    }
    expect(reports.filter(({ level }) => level === 'error')).toMatchObject([
      { event: 'replay_unavailable', cause: expect.any(Error) },
    ])
    expect(reports.filter(({ event }) => event === 'refused')).toHaveLength(3)
  })

  it('is told again after ten seconds', async () => {
    const reports: GuardReport[] = []
    let now = testNow
    const closed = guardWith(
      { dpop: { replay: createMemoryReplay({ capacity: 0 }) } },
      { now: () => now, report: (report) => reports.push(report) },
    )
    for (const seconds of [0, 9, 10, 11]) {
      now = testNow + seconds
      await closed.judge(proving({ now }))
    }
    expect(reports.filter(({ event }) => event === 'replay_unavailable')).toHaveLength(2)
  })

  it.each([undefined, 'OK', 1, null])('that answers %j has not said that it is the first use', async (answer) => {
    const replay = { use: () => answer } as unknown as Replay
    expect(reasonOf(await guardWith({ dpop: { replay } }).judge(request()))).toBe('dpop_replayed')
  })

  it('troubles no certificate-bound token', async () => {
    const closed = guardWith({ dpop: { replay: createMemoryReplay({ capacity: 0 }) } })
    const token = issuer.accessToken({ claims: { cnf: { 'x5t#S256': thumbprint } } })
    expect(reasonOf(await closed.judge(request({ token, scheme: 'Bearer', certificate: own, proofs: [] })))).toBe(
      'admitted',
    )
  })
})
