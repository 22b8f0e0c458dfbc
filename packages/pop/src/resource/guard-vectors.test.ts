import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decodeBase64url } from '../foundation/base64url.ts'
import { parsePublicJwk } from '../foundation/jwk.ts'
import { thumbprintInput } from '../foundation/jwk-thumbprint.ts'
import { parseJwt } from '../foundation/jws.ts'
import { nodePrimitives } from '../node/primitives.ts'
import type { DpopPolicy } from '../proof/dpop.ts'
import { createTestIssuer } from '../testing/issuer.ts'
import { createTestProofKey, signProof } from '../testing/proofs.ts'
import { createGuard } from './guard.ts'
import type { GuardOptions } from './policy.ts'
import type { Verdict } from './verdict.ts'

interface Vector {
  readonly id: string
  readonly title: string
  readonly request: {
    readonly method: string
    readonly url: string
    readonly headers: { readonly dpop: readonly string[]; readonly authorization?: readonly string[] }
  }
  readonly policy: { readonly nonces: DpopPolicy['nonces'] }
  readonly clock: number
  readonly outcome: string
}

describe('RFC 9449 §7.1 the vectors at an API', () => {
  const { nonceKey, vectors } = read('dpop-proofs.json') as {
    readonly nonceKey: string
    readonly vectors: readonly Vector[]
  }
  const ofApis = vectors.filter(({ request }) => request.headers.authorization !== undefined)

  it('are some', () => {
    expect(ofApis.length).toBeGreaterThan(10)
  })

  it.each(ofApis.map((vector) => [vector.id, vector.title, vector] as const))('%s: %s', async (_, __, vector) => {
    const { request, clock, policy, outcome } = vector
    const { origin } = new URL(request.url)
    const guard = guardOf(origin, thumbprintOf(request.headers.dpop[0] ?? ''), clock, {
      nonces: policy.nonces,
      nonceKey: decodeBase64url(nonceKey) ?? new Uint8Array(),
    })
    const first = await guard.judge(request)
    expect(outcomeOf(first)).toBe(outcome)
    if (first.admitted) expect(outcomeOf(await guard.judge(request))).toBe('dpop_replayed')
  })
})

describe('incident 12: one verdict for each spelling of an address, at an API', () => {
  const { target, spellings } = read('target-uris.json') as {
    readonly target: string
    readonly spellings: readonly { readonly url: string; readonly verdict: string; readonly title: string }[]
  }
  const key = createTestProofKey()
  const issuer = createTestIssuer()
  const options = { issuer: issuer.issuer, identifier: issuer.audience, origin: new URL(target).origin }
  const guard = createGuard(options, { primitives: nodePrimitives, fetch: issuer.fetch, now: issuer.now })
  const accessToken = issuer.accessToken({ claims: { cnf: { jkt: key.thumbprint } } })

  it.each(spellings.map(({ title, url, verdict }) => [title, verdict, url] as const))(
    '%s: %s',
    async (_, verdict, url) => {
      const proof = signProof(key, { method: 'GET', url, accessToken })
      const headers = { authorization: [`DPoP ${accessToken}`], dpop: [proof] }
      const judged = await guard.judge({ method: 'GET', url: target, headers })
      expect(outcomeOf(judged)).toBe(verdict === 'same' ? 'accepted' : 'dpop_url_differs')
    },
  )
})

/** A guard for which every token is good, and bound to one key. */
function guardOf(origin: string, jkt: string, clock: number, dpop: NonNullable<GuardOptions['dpop']>) {
  const claims = { active: true, iss: 'https://issuer.test', aud: origin, sub: 'a', client_id: 'a', exp: clock + 60 }
  const introspection = { client_id: 'api', client_secret: 'secret', endpoint: 'https://issuer.test/introspect' }
  return createGuard(
    { issuer: 'https://issuer.test', identifier: origin, tokens: ['reference'], introspection, dpop },
    {
      primitives: nodePrimitives,
      now: () => clock,
      fetch: () => Promise.resolve(Response.json({ ...claims, token_type: 'DPoP', cnf: { jkt } })),
    },
  )
}

function thumbprintOf(proof: string): string {
  const key = parsePublicJwk(parseJwt(proof)?.header.jwk)
  return key ? hash('sha256', thumbprintInput(key), 'base64url') : ''
}

function outcomeOf(verdict: Verdict): string {
  return verdict.admitted ? 'accepted' : verdict.reason
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../../../../vectors', name), 'utf8'))
}
