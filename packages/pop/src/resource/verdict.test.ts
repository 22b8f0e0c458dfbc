import { describe, expect, it } from 'vitest'
import type { ChallengingApi } from '../oauth/challenge.ts'
import { type Reason, Refused, refusals } from '../oauth/refusal.ts'
import type { Looked } from './checks.ts'
import { createDeclined, type DeclinedRequest, renderVerdict } from './verdict.ts'

const place = 'https://api.test/.well-known/oauth-protected-resource'
const api: ChallengingApi = {
  schemes: ['Bearer', 'DPoP'],
  algorithms: ['ES256', 'Ed25519'],
  parameters: { resource_metadata: place },
}
const looked: Looked = { form: 'jwt', confirmation: { jkt: 'key', 'x5t#S256': 'certificate' } }

function declined(refused: Refused, request: Partial<DeclinedRequest> = {}) {
  return createDeclined(refused, { looked, scheme: 'Bearer', scope: [], ...request }, api)
}

const proofChecks = [
  'proof',
  'proof_claims',
  'proof_type',
  'proof_algorithm',
  'proof_key',
  'proof_signature',
  'proof_method',
  'proof_url',
  'proof_time',
  'proof_token',
] as const

/** Reasons of the server with such a name. */
const notOfAnApi: readonly Reason[] = [
  'token_parameter_missing',
  'token_of_another_client',
  'dpop_jkt_malformed',
  'dpop_jkt_differs',
  'dpop_jkt_disagrees',
  'dpop_required',
  'dpop_off',
  'dpop_proofs_exhausted',
]
const reasons = (Object.keys(refusals) as Reason[]).filter(
  (reason) =>
    /^(token|confirmation|binding|session|scope_insufficient|keys_unavailable|introspection_unavailable|dpop|replay)/.test(
      reason,
    ) && !notOfAnApi.includes(reason),
)

describe('the verdict on a refused request', () => {
  it.each(reasons)('names the check that refuses with %s, last', (reason) => {
    const { checks } = declined(new Refused(reason))
    expect(checks.at(-1)?.passed).toBe(false)
    expect(checks.map(({ passed }) => passed)).toEqual([...checks.slice(1).map(() => true), false])
  })

  it.each(reasons)('has a status for %s', (reason) => {
    expect([400, 401, 403, 503]).toContain(declined(new Refused(reason)).status)
  })

  it('says what was expected and seen, shortened', () => {
    const refused = new Refused('token_audience', { expected: 'https://api.test', seen: 'a'.repeat(200) })
    expect(declined(refused).checks.at(-1)).toEqual({
      name: 'audience',
      passed: false,
      expected: 'https://api.test',
      seen: `${'a'.repeat(79)}…`,
    })
  })

  it('lists the checks of the form that the token was taken for', () => {
    const namesFor = (form: 'jwt' | 'reference') =>
      declined(new Refused('binding_missing'), { looked: { form } }).checks.map(({ name }) => name)
    expect(namesFor('jwt')).toContain('signature')
    expect(namesFor('jwt')).not.toContain('active')
    expect(namesFor('reference')).toContain('active')
    expect(namesFor('reference')).not.toContain('signature')
  })

  it.each<[string, Looked['confirmation'], readonly string[]]>([
    ['to nothing', undefined, ['scheme', 'binding', 'scope']],
    ['to a certificate', { 'x5t#S256': 'a' }, ['method', 'scheme', 'certificate', 'binding', 'scope']],
    ['to a DPoP key', { jkt: 'a' }, ['method', 'scheme', ...proofChecks, 'binding', 'scope']],
    ['to both', { jkt: 'a', 'x5t#S256': 'a' }, ['method', 'scheme', ...proofChecks, 'certificate', 'binding', 'scope']],
  ])(
    'lists the evidence that counts for a token bound %s, in the order in which it is judged',
    (_, confirmation, expected) => {
      const { checks } = declined(new Refused('dpop_replayed'), {
        looked: { form: 'jwt', ...(confirmation && { confirmation }) },
      })
      const listed = checks.map(({ name }) => name)
      expect(listed.slice(listed.indexOf('time') + 1, -1)).toEqual(expected)
      expect(listed.at(-1)).toBe('replay')
    },
  )
})

describe('where to look first', () => {
  const hintOf = (reason: Reason, expected?: string, seen?: string) =>
    declined(new Refused(reason, { ...(expected && { expected }), ...(seen && { seen }) })).hint ?? ''

  it.each([
    ['https://inside:8443/a', 'https://api.test/a', /set origin to the outer address/],
    ['https://api.test/a', 'http://api.test/a', /at http:\/\/api\.test, and it believes to be at https:/],
    ['https://api.test/a', 'https://api.test/v1/a', /The path differs/],
    ['https://api.test/a', 'api.test', /no http or https address/],
  ])('for %s a proof for %s', (expected, seen, hint) =>
    expect(hintOf('dpop_url_differs', expected, seen)).toMatch(hint),
  )

  it.each<[Reason, string, RegExp]>([
    ['dpop_stale', '960', /40 s too old/],
    ['dpop_skewed', '960', /40 s too old/],
    ['dpop_early', '1100', /30 s too early/],
  ])('%s says by how many seconds', (reason, seen, hint) => expect(hintOf(reason, '1000 to 1070', seen)).toMatch(hint))

  it('says that ath is of another token', () => expect(hintOf('dpop_token_differs')).toMatch(/another token/))
})

describe('RFC 6750 §3, RFC 9449 §7.1 the answer to a refused request', () => {
  it('is JSON with one challenge, not to be stored', () => {
    expect(renderVerdict(declined(new Refused('token_expired')))).toEqual({
      status: 401,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'www-authenticate': [
          `Bearer error="invalid_token", error_description="The access token has expired.", resource_metadata="${place}"`,
        ],
      },
      body: '{"error":"invalid_token","error_description":"The access token has expired."}',
    })
  })

  it('[RFC9449-7.1-6] has algs in a DPoP challenge', () => {
    const { headers } = renderVerdict(declined(new Refused('token_expired'), { scheme: 'DPoP' }))
    expect(headers['www-authenticate']).toEqual([
      `DPoP error="invalid_token", error_description="The access token has expired.", algs="ES256 Ed25519", resource_metadata="${place}"`,
    ])
  })

  it('[RFC9449-9-1] [RFC9449-8.2-3] hands out the nonce that is asked for, in a single DPoP challenge', () => {
    const { status, headers } = renderVerdict(
      declined(new Refused('dpop_nonce_missing', { nonce: 'abc' }), { scheme: 'DPoP' }),
    )
    expect(status).toBe(401)
    expect(headers).toMatchObject({ 'dpop-nonce': 'abc', 'cache-control': 'no-store' })
    expect(headers['www-authenticate']).toEqual([expect.stringMatching(/^DPoP error="use_dpop_nonce"/)])
  })

  it('has Retry-After and no challenge where waiting helps', () => {
    const refused = new Refused('keys_unavailable', { retryAfter: 30 })
    const { status, headers } = renderVerdict(declined(refused))
    expect(status).toBe(503)
    expect(headers).toMatchObject({ 'retry-after': '30' })
    expect(headers).not.toHaveProperty('www-authenticate')
  })
})
