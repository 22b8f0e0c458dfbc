import { describe, expect, it } from 'vitest'
import { type Reason, Refused, refusals } from '../oauth/refusal.ts'
import { createDeclined, renderVerdict } from './verdict.ts'

const api = {
  identifier: 'https://api.test',
  metadata: {
    url: 'https://api.test/.well-known/oauth-protected-resource',
    target: '/.well-known/oauth-protected-resource',
    document: {},
  },
}
const reasons = (Object.keys(refusals) as Reason[]).filter(
  (reason) =>
    /^(token|confirmation|binding|session|scope_insufficient|keys_unavailable|introspection_unavailable)/.test(
      reason,
    ) && !['token_parameter_missing', 'token_of_another_client'].includes(reason),
)

describe('the verdict on a refused request', () => {
  it.each(reasons)('names the check that refuses with %s, last', (reason) => {
    const { checks } = createDeclined(new Refused(reason), 'jwt', api, [])
    expect(checks.map(({ passed }) => passed)).toEqual([...checks.slice(1).map(() => true), false])
  })

  it.each(reasons)('has a status for %s', (reason) => {
    expect([400, 401, 403, 503]).toContain(createDeclined(new Refused(reason), 'jwt', api, []).status)
  })

  it('says what was expected and seen, shortened', () => {
    const refused = new Refused('token_audience', { expected: 'https://api.test', seen: 'a'.repeat(200) })
    expect(createDeclined(refused, 'jwt', api, []).checks.at(-1)).toEqual({
      name: 'audience',
      passed: false,
      expected: 'https://api.test',
      seen: `${'a'.repeat(79)}…`,
    })
  })

  it('lists the checks of the form that the token was taken for', () => {
    const namesFor = (form: 'jwt' | 'reference') =>
      createDeclined(new Refused('binding_missing'), form, api, []).checks.map(({ name }) => name)
    expect(namesFor('jwt')).toContain('signature')
    expect(namesFor('jwt')).not.toContain('active')
    expect(namesFor('reference')).toContain('active')
    expect(namesFor('reference')).not.toContain('signature')
  })
})

describe('RFC 6750 §3 the answer to a refused request', () => {
  it('is JSON with one challenge, not to be stored', () => {
    expect(renderVerdict(createDeclined(new Refused('token_expired'), 'jwt', api, []))).toEqual({
      status: 401,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'www-authenticate': [
          'Bearer error="invalid_token", error_description="The access token has expired.", resource_metadata="https://api.test/.well-known/oauth-protected-resource"',
        ],
      },
      body: '{"error":"invalid_token","error_description":"The access token has expired."}',
    })
  })

  it('has Retry-After and no challenge where waiting helps', () => {
    const refused = new Refused('keys_unavailable', { retryAfter: 30 })
    const { status, headers } = renderVerdict(createDeclined(refused, 'jwt', api, []))
    expect(status).toBe(503)
    expect(headers).toMatchObject({ 'retry-after': '30' })
    expect(headers).not.toHaveProperty('www-authenticate')
  })
})
