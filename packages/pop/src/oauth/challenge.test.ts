import { describe, expect, it } from 'vitest'
import { type ChallengingApi, renderChallenge, renderTokenChallenges } from './challenge.ts'
import type { Reason } from './refusal.ts'

const api: ChallengingApi = {
  schemes: ['Bearer', 'DPoP'],
  algorithms: ['ES256', 'Ed25519'],
  parameters: { realm: 'api' },
}
const plain = { Bearer: 'Bearer realm="api"', DPoP: 'DPoP algs="ES256 Ed25519", realm="api"' }

/** A challenge with an error, as far as the scheme and the code go. */
const failing = (scheme: string, error: string) => expect.stringMatching(new RegExp(`^${scheme} error="${error}", `))

describe('RFC 9110 §11.6.1 a challenge', () => {
  it('has its parameters quoted, and leaves undefined ones out', () => {
    expect(renderChallenge('Bearer', { realm: 'api', scope: undefined, error: 'invalid_token' })).toBe(
      'Bearer realm="api", error="invalid_token"',
    )
    expect(renderChallenge('Bearer', {})).toBe('Bearer')
  })

  it('[S40] cannot be left by what stands in it', () => {
    expect(renderChallenge('Bearer', { realm: 'a"b\\c\r\nd\u20ac' })).toBe('Bearer realm="a?b?c??d?"')
  })
})

describe('RFC 9449 §7.2 the challenges to a refused request', () => {
  it.each<[string, Reason, 'Bearer' | 'DPoP' | undefined, readonly unknown[]]>([
    ['[RFC9449-7.2-2] no token', 'token_missing', undefined, [plain.Bearer, plain.DPoP]],
    ['another scheme', 'token_scheme_unknown', undefined, [plain.Bearer, plain.DPoP]],
    ['[RFC9449-7.2-3] a bad token as Bearer', 'token_expired', 'Bearer', [failing('Bearer', 'invalid_token')]],
    ['[RFC9449-7.2-3] a bad token as DPoP', 'token_expired', 'DPoP', [failing('DPoP', 'invalid_token')]],
    [
      '[RFC9449-7.2-1] a DPoP-bound token as Bearer',
      'token_is_dpop',
      'Bearer',
      [failing('Bearer', 'invalid_token'), plain.DPoP],
    ],
    ['another token as DPoP', 'token_is_not_dpop', 'DPoP', [failing('DPoP', 'invalid_token')]],
    ['[RFC9449-7.1-5] a bad proof', 'dpop_stale', 'DPoP', [failing('DPoP', 'invalid_dpop_proof')]],
    ['[RFC9449-9-1] a nonce that is missing', 'dpop_nonce_missing', 'DPoP', [failing('DPoP', 'use_dpop_nonce')]],
    [
      'a nonce that is missing, whatever was used',
      'dpop_nonce_missing',
      undefined,
      [failing('DPoP', 'use_dpop_nonce')],
    ],
    ['a bad proof, whatever was used', 'dpop_stale', 'Bearer', [failing('DPoP', 'invalid_dpop_proof')]],
  ])('%s', (_, reason, used, expected) => {
    expect(renderTokenChallenges(reason, used, api)).toEqual(expected)
  })

  it('[RFC6750-3.1] name the scope that is needed', () => {
    expect(renderTokenChallenges('scope_insufficient', 'DPoP', api, 'read write')).toEqual([
      expect.stringMatching(
        /^DPoP error="insufficient_scope", .*scope="read write", algs="ES256 Ed25519", realm="api"$/,
      ),
    ])
  })

  it('[RFC9449-7.1-6] have algs where they are of DPoP', () => {
    const [challenge] = renderTokenChallenges('dpop_replayed', 'DPoP', api)
    expect(challenge).toContain('algs="ES256 Ed25519"')
  })

  it('are of the schemes that are taken, without an error for another that was used', () => {
    const dpopOnly: ChallengingApi = { ...api, schemes: ['DPoP'] }
    expect(renderTokenChallenges('token_is_dpop', 'Bearer', dpopOnly)).toEqual([plain.DPoP])
    expect(renderTokenChallenges('token_missing', undefined, dpopOnly)).toEqual([plain.DPoP])
    const bearerOnly: ChallengingApi = { ...api, schemes: ['Bearer'] }
    expect(renderTokenChallenges('token_expired', 'DPoP', bearerOnly)).toEqual([plain.Bearer])
  })
})
