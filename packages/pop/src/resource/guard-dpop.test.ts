import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { PresentedCertificate } from '../foundation/certificate-facts.ts'
import type { Reason } from '../oauth/refusal.ts'
import { proofAlgorithms } from '../proof/dpop.ts'
import { generateTestKey, testNow } from '../testing/issuer.ts'
import { createTestProofKey, type ProofOverrides, signProof } from '../testing/proofs.ts'
import type { GuardReport } from './guard.ts'
import {
  bound,
  type Changes,
  declined,
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
import type { GuardOptions } from './policy.ts'

const forms = {
  JWT: (claims: object) => issuer.accessToken({ claims: { ...claims } }),
  reference: (claims: object) => issuer.referenceToken({ ...claims }),
}

describe.each(Object.entries(forms))(
  'RFC 9449 §7.1 a %s token that is bound to the key of the proof',
  (_, tokenWith) => {
    const token = tokenWith({ cnf: { jkt: key.thumbprint } })

    it('[RFC9449-7.1-2] [RFC9449-6-1] is admitted, with the key and what was checked', async () => {
      const verdict = await guard.judge(request({ token }))
      expect(verdict).toMatchObject({
        admitted: true,
        token: { clientId: 'client', confirmation: { jkt: key.thumbprint } },
        possession: { member: 'jkt', thumbprint: key.thumbprint },
      })
      expect(verdict).not.toHaveProperty('headers')
      expect(verdict.checks.every(({ passed }) => passed)).toBe(true)
      expect(verdict.checks.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['proof', 'proof_signature', 'proof_token', 'binding', 'replay']),
      )
    })

    it('[S05] [RFC9449-7.2-1] is refused as Bearer, with a challenge of each scheme and the error in the one used', async () => {
      for (const proofs of [[], [signProof(key, { method: 'GET', url, accessToken: token })]]) {
        const { reason, status, challenges } = await declined(guard.judge(request({ token, scheme: 'Bearer', proofs })))
        expect([reason, status]).toEqual(['token_is_dpop', 401])
        expect(challenges).toEqual([
          expect.stringMatching(/^Bearer error="invalid_token"/),
          expect.stringMatching(/^DPoP algs="ES256 /),
        ])
      }
    })

    it('[S09] [RFC9449-6-2] [RFC9449-4.3-12] is refused with a proof by another key', async () => {
      const proofs = [signProof(foreign, { method: 'GET', url, accessToken: token })]
      const verdict = await declined(guard.judge(request({ token, proofs })))
      expect(verdict).toMatchObject({ reason: 'confirmation_proof_differs', status: 401, error: 'invalid_token' })
      expect(verdict.challenges).toEqual([expect.stringMatching(/^DPoP error="invalid_token"/)])
      expect(verdict.checks.at(-1)).toMatchObject({
        name: 'binding',
        expected: key.thumbprint,
        seen: foreign.thumbprint,
      })
    })

    it('[S08] [RFC9449-7.1-2] is refused without a proof', async () => {
      const verdict = await declined(guard.judge(request({ token, proofs: [] })))
      expect(verdict).toMatchObject({ reason: 'dpop_missing', status: 401, error: 'invalid_dpop_proof' })
      expect(verdict.challenges).toEqual([expect.stringMatching(/^DPoP error="invalid_dpop_proof".*algs="ES256 /)])
    })

    it('[S39] [RFC9449-11.1-2] is refused with a proof that was used', async () => {
      const again = request({ token })
      expect(reasonOf(await guard.judge(again))).toBe('admitted')
      expect(await guard.judge(again)).toMatchObject({
        reason: 'dpop_replayed',
        status: 401,
        error: 'invalid_dpop_proof',
      })
    })
  },
)

describe('S: the scheme', () => {
  it.each(['dpop', 'DPOP', 'dPoP'])('[S04] is taken in any case: %s', async (scheme) => {
    expect(await judge({ scheme })).toBe('admitted')
  })

  it('incident 20: is refused with a token that is bound to nothing, whatever the policy', async () => {
    const token = issuer.accessToken()
    const options = [{}, { binding: 'when-bound' }, { mode: 'report' }] as const
    for (const each of options) {
      const verdict = await declined(guardWith(each).judge(request({ token })))
      expect(verdict).toMatchObject({ reason: 'token_is_not_dpop', status: 401, error: 'invalid_token' })
      expect(verdict.challenges).toEqual([expect.stringMatching(/^DPoP error="invalid_token"/)])
    }
  })

  it('is refused with a token that is bound to a certificate, the certificate there and a proof too', async () => {
    const token = issuer.accessToken({ claims: { cnf: { 'x5t#S256': thumbprint } } })
    expect(await judge({ token, certificate: own })).toBe('token_is_not_dpop')
    expect(await judge({ token, certificate: own, scheme: 'Bearer' })).toBe('admitted')
  })

  it('[S23] [RFC9449-11.5-1] is refused with what is no access token: a proof, an ID token', async () => {
    const proof = signProof(key, { method: 'GET', url, accessToken: bound })
    expect(await judge({ token: proof })).toBe('token_type_wrong')
    const claims = { cnf: { jkt: key.thumbprint } }
    expect(await judge({ token: issuer.accessToken({ header: { typ: 'JWT' }, claims }) })).toBe('token_type_wrong')
  })

  it('[S03] two Authorization headers, one of each scheme', async () => {
    const { headers, ...rest } = request()
    const authorization = [`Bearer ${issuer.accessToken()}`, ...headers.authorization]
    const verdict = await declined(guard.judge({ ...rest, headers: { ...headers, authorization } }))
    expect(verdict).toMatchObject({ reason: 'token_repeated', status: 400, challenges: [] })
  })

  it('[S02] a token in the query, beside a proof', async () => {
    expect(await judge({ url: `${url}?access_token=${bound}` })).toBe('token_in_query')
  })

  it('[RFC9449-7.1-8] is not looked for in Proxy-Authorization', async () => {
    const { headers, ...rest } = request()
    const { authorization, ...others } = headers
    const verdict = guard.judge({ ...rest, headers: { ...others, 'proxy-authorization': authorization } })
    expect(reasonOf(await verdict)).toBe('token_missing')
  })
})

describe('incident 16: every kind of token with every kind of evidence', () => {
  const cnfs = {
    none: () => ({}),
    x5t: () => ({ cnf: { 'x5t#S256': thumbprint } }),
    jkt: () => ({ cnf: { jkt: key.thumbprint } }),
    both: () => ({ cnf: { 'x5t#S256': thumbprint, jkt: key.thumbprint } }),
  }
  type Evidence = 'nothing' | 'certificate' | 'proof' | 'both'
  type Outcome = Reason | 'admitted'
  const [none, lost] = ['dpop_missing', 'confirmation_certificate_missing'] as const
  it.each<[keyof typeof cnfs, Evidence, Outcome, Outcome, Outcome]>([
    ['none', 'nothing', 'binding_missing', 'admitted', 'token_is_not_dpop'],
    ['none', 'certificate', 'binding_missing', 'admitted', 'token_is_not_dpop'],
    ['none', 'proof', 'binding_missing', 'admitted', 'token_is_not_dpop'],
    ['none', 'both', 'binding_missing', 'admitted', 'token_is_not_dpop'],
    ['x5t', 'nothing', lost, lost, 'token_is_not_dpop'],
    ['x5t', 'certificate', 'admitted', 'admitted', 'token_is_not_dpop'],
    ['x5t', 'proof', lost, lost, 'token_is_not_dpop'],
    ['x5t', 'both', 'admitted', 'admitted', 'token_is_not_dpop'],
    ['jkt', 'nothing', 'token_is_dpop', 'token_is_dpop', none],
    ['jkt', 'certificate', 'token_is_dpop', 'token_is_dpop', none],
    ['jkt', 'proof', 'token_is_dpop', 'token_is_dpop', 'admitted'],
    ['jkt', 'both', 'token_is_dpop', 'token_is_dpop', 'admitted'],
    ['both', 'nothing', 'token_is_dpop', 'token_is_dpop', none],
    ['both', 'certificate', 'token_is_dpop', 'token_is_dpop', none],
    ['both', 'proof', 'token_is_dpop', 'token_is_dpop', lost],
    ['both', 'both', 'token_is_dpop', 'token_is_dpop', 'admitted'],
  ])(
    '[S20] cnf %s with %s: as Bearer %s, where binding is not required %s; as DPoP %s',
    async (cnf, evidence, bearer, lenient, dpop) => {
      const token = issuer.accessToken({ claims: cnfs[cnf]() })
      const outcome = async (scheme: string, options: Partial<GuardOptions>) => {
        const proofs = evidence === 'proof' || evidence === 'both' ? {} : { proofs: [] }
        const certificate = evidence === 'certificate' || evidence === 'both' ? { certificate: own } : {}
        return reasonOf(await guardWith(options).judge(request({ token, scheme, ...proofs, ...certificate })))
      }
      expect(await outcome('Bearer', {})).toBe(bearer)
      expect(await outcome('Bearer', { binding: 'when-bound' })).toBe(lenient)
      expect(await outcome('Bearer', { mode: 'report' })).toBe(lenient)
      expect(await outcome('DPoP', {})).toBe(dpop)
      expect(await outcome('DPoP', { binding: 'when-bound' })).toBe(dpop)
      expect(await outcome('DPoP', { mode: 'report' })).toBe(dpop)
    },
  )

  it('does not look at a proof that does not count, nor at a certificate', async () => {
    const unbound = guardWith({ binding: 'when-bound' })
    const proofs = ['no proof', 'and another']
    expect(reasonOf(await unbound.judge(request({ token: issuer.accessToken(), scheme: 'Bearer', proofs })))).toBe(
      'admitted',
    )
    const broken: PresentedCertificate = { chain: ['AAAA'], from: 'tls' }
    expect(await judge({ certificate: broken })).toBe('admitted')
  })

  it('does not use up a proof that does not count', async () => {
    const unbound = guardWith({ binding: 'when-bound' })
    const proofs = [signProof(key, { method: 'GET', url, accessToken: bound })]
    await unbound.judge(request({ token: issuer.accessToken(), scheme: 'Bearer', proofs }))
    expect(reasonOf(await unbound.judge(request({ proofs })))).toBe('admitted')
  })

  it('a certificate that is not acceptable, where a token is bound to both', async () => {
    const token = issuer.accessToken({ claims: { cnf: { 'x5t#S256': thumbprint, jkt: key.thumbprint } } })
    expect(await judge({ token, certificate: { chain: ['AAAA'], from: 'tls' } })).toBe(
      'confirmation_certificate_unacceptable',
    )
  })
})

describe('RFC 9449 §4.3 the proof, at an API', () => {
  it.each<[string, () => Changes['proofs']]>([
    ['two headers', () => [0, 1].map(() => signProof(key, { method: 'GET', url, accessToken: bound }))],
    ['the same header twice', () => Array(2).fill(signProof(key, { method: 'GET', url, accessToken: bound }))],
    ['two proofs in one header', () => [`${signProof(key, { method: 'GET', url, accessToken: bound })}, a.b.c`]],
  ])('[S08] [RFC9449-4.3-1] %s', async (_, proofs) => {
    const verdict = await declined(guard.judge(request({ proofs: proofs() ?? [] })))
    expect(verdict).toMatchObject({ reason: 'dpop_repeated', status: 401, error: 'invalid_dpop_proof' })
    expect(verdict.challenges).toEqual([expect.stringMatching(/^DPoP error="invalid_dpop_proof"/)])
  })

  it.each(['', ' ', 'a', 'a.b', 'a.b.c', 'a.b.c.d', 'a'.repeat(65_536)])(
    '[S11] [RFC9449-4.3-2] what is no JWT: %.20s',
    async (proof) => expect(await judge({ proofs: [proof] })).toBe('dpop_malformed'),
  )

  const other = generateTestKey('ES256')
  it.each<[string, ProofOverrides, Reason]>([
    ['[RFC9449-4.3-3] no jti', { claims: { jti: undefined } }, 'dpop_claims_malformed'],
    ['[RFC9449-4.3-3] a number as htu', { claims: { htu: 1 } }, 'dpop_claims_malformed'],
    ['[RFC9449-4.3-3] no jwk', { header: { jwk: undefined } }, 'dpop_claims_malformed'],
    ['[RFC9449-4.3-4] [RFC9449-11.5-1] another type', { header: { typ: 'JWT' } }, 'dpop_type'],
    ['[RFC9449-4.3-5] no algorithm', { header: { alg: 'none' }, signature: '' }, 'dpop_algorithm'],
    ['[RFC9449-4.3-5] [RFC9449-11.6-1] a MAC', { header: { alg: 'HS256' } }, 'dpop_algorithm'],
    ['[RFC9449-4.3-6] the signature of another key', { key: other }, 'dpop_signature'],
    ['[RFC9449-4.3-7] a private key', { header: { jwk: { ...key.jwk, d: 'AAAA' } } }, 'dpop_key_private'],
    ['[RFC9449-4.3-8] another method', { claims: { htm: 'POST' } }, 'dpop_method_differs'],
    ['[RFC9449-4.3-8] the method in small letters', { claims: { htm: 'get' } }, 'dpop_method_differs'],
    ['[RFC9449-4.3-9] another path', { claims: { htu: `${url}/` } }, 'dpop_url_differs'],
    ['[RFC9449-4.3-9] the path in capitals', { claims: { htu: 'https://api.test/ORDERS' } }, 'dpop_url_differs'],
    ['[RFC9449-4.3-9] another port', { claims: { htu: 'https://api.test:8443/orders' } }, 'dpop_url_differs'],
    ['[RFC9449-4.3-11] too old', { claims: { iat: testNow - 61 } }, 'dpop_stale'],
    ['[RFC9449-4.3-11] too early', { claims: { iat: testNow + 11 } }, 'dpop_early'],
    ['[S10] [RFC9449-4.3-12] no ath', { claims: { ath: undefined } }, 'dpop_token_differs'],
    [
      '[S10] [RFC9449-4.3-12] ath as a list',
      { claims: { ath: [hash('sha256', bound, 'base64url')] } },
      'dpop_token_differs',
    ],
    [
      '[S10] [RFC9449-4.3-12] ath of another token',
      { claims: { ath: hash('sha256', 'a', 'base64url') } },
      'dpop_token_differs',
    ],
    [
      '[S10] [RFC9449-4.3-12] ath in base64',
      { claims: { ath: hash('sha256', bound, 'base64') } },
      'dpop_token_differs',
    ],
    [
      '[S10] [RFC9449-11.10-1] ath by SHA-512',
      { claims: { ath: hash('sha512', bound, 'base64url') } },
      'dpop_token_differs',
    ],
    [
      '[S10] [RFC9449-4.3-12] ath of the claims',
      { claims: { ath: hash('sha256', bound.split('.')[1] ?? '', 'base64url') } },
      'dpop_token_differs',
    ],
  ])('[S11] [RFC9449-7.1-3] refuses %s', async (_, overrides, reason) => {
    const verdict = await declined(guard.judge(proving({}, overrides)))
    expect(verdict).toMatchObject({ reason, status: 401, error: 'invalid_dpop_proof' })
    expect(verdict.challenges).toEqual([expect.stringMatching(/^DPoP error="invalid_dpop_proof".*algs="ES256 /)])
    expect(verdict.checks.at(-1)).toMatchObject({ passed: false, name: expect.stringMatching(/^proof/) })
  })

  it('[RFC9449-11.1-4] takes a proof at both edges of its minute', async () => {
    for (const now of [testNow - 60, testNow + 10])
      expect(reasonOf(await guard.judge(proving({ now })))).toBe('admitted')
  })

  it('[S12] refuses a proof for the authorization server', async () => {
    expect(reasonOf(await guard.judge(proving({ url: `${issuer.issuer}/token` })))).toBe('dpop_url_differs')
  })

  it.each(['HEAD', 'OPTIONS', 'POST'])('[S13] refuses the proof of a GET with %s', async (method) => {
    const proofs = [signProof(key, { method: 'GET', url, accessToken: bound })]
    expect(await judge({ method, proofs })).toBe('dpop_method_differs')
    expect(await judge({ method })).toBe('admitted')
  })

  it.each([
    ['https://api.test/orders?page=2', 'https://api.test/orders'],
    ['https://api.test/orders', 'HTTPS://API.test:443/%6Frders?x#y'],
  ])('[RFC9449-4.3-13] takes for %s a proof for %s', async (asked, htu) => {
    const proofs = [signProof(key, { method: 'GET', url: htu, accessToken: bound })]
    expect(await judge({ url: asked, proofs })).toBe('admitted')
  })

  it('judges the proof against the origin of the policy, not against that of the identifier', async () => {
    const inside = guardWith({ origin: 'https://inside.test:8443' })
    const at = (its: string) => signProof(key, { method: 'GET', url: its, accessToken: bound })
    const asked = (proof: string) => request({ url: 'https://inside.test:8443/orders', proofs: [proof] })
    expect(reasonOf(await inside.judge(asked(at('https://inside.test:8443/orders'))))).toBe('admitted')
    const verdict = await declined(inside.judge(asked(at(url))))
    expect(verdict).toMatchObject({ reason: 'dpop_url_differs', hint: expect.stringContaining('set origin') })
    expect(verdict.checks.at(-1)).toMatchObject({ expected: 'https://inside.test:8443/orders', seen: url })
  })

  it('says by how much a clock is off', async () => {
    const verdict = await declined(guard.judge(proving({ now: testNow - 100 })))
    expect(verdict.hint).toContain('40 s too old')
    const early = await declined(guard.judge(proving({ now: testNow + 100 })))
    expect(early.hint).toContain('90 s too early')
  })

  it('[RFC9449-4.2-9] takes claims and headers that nobody knows', async () => {
    expect(reasonOf(await guard.judge(proving({}, { claims: { more: 1 }, header: { more: 1 } })))).toBe('admitted')
  })

  const usual = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65'] as const
  it.each(proofAlgorithms)('[RFC9449-4.3-5] takes %s if it is named', async (algorithm) => {
    const its = createTestProofKey(algorithm)
    const token = issuer.accessToken({ claims: { cnf: { jkt: its.thumbprint } } })
    const proofs = () => [signProof(its, { method: 'GET', url, accessToken: token })]
    const isUsual = usual.some((name) => name === algorithm)
    expect(await judge({ token, proofs: proofs() })).toBe(isUsual ? 'admitted' : 'dpop_algorithm')
    const naming = guardWith({ dpop: { algorithms: [algorithm] } })
    expect(reasonOf(await naming.judge(request({ token, proofs: proofs() })))).toBe('admitted')
    const verdict = await declined(naming.judge(request({ token, proofs: [] })))
    expect(verdict.challenges.join()).toContain(`algs="${algorithm}"`)
  })

  it('never shows a proof or a token', async () => {
    const [proof = '', stale = ''] = [{}, { now: testNow - 100 }].map((asked) =>
      signProof(key, { method: 'GET', url, accessToken: bound, ...asked }),
    )
    const reports: GuardReport[] = []
    const telling = guardWith({}, { report: (report) => reports.push(report) })
    const verdicts = [proof, proof, stale].map((each) => telling.judge(request({ proofs: [each] })))
    const shown = JSON.stringify([await Promise.all(verdicts), reports])
    for (const secret of [proof, stale, bound]) {
      for (const part of secret.split('.').slice(1)) expect(shown).not.toContain(part)
    }
  })
})

describe('the methods that an API takes', () => {
  const boundTo = (cnf: object) => issuer.accessToken({ claims: { cnf } })

  it.each<[string, () => Changes, NonNullable<GuardOptions['methods']>]>([
    ['a DPoP-bound token', () => ({}), ['dpop']],
    ['a DPoP-bound token as Bearer', () => ({ scheme: 'Bearer' }), ['dpop']],
    [
      'a certificate-bound token',
      () => ({ token: boundTo({ 'x5t#S256': thumbprint }), scheme: 'Bearer', certificate: own }),
      ['mutual-tls'],
    ],
    [
      'a token bound to both',
      () => ({ token: boundTo({ 'x5t#S256': thumbprint, jkt: key.thumbprint }), certificate: own }),
      ['mutual-tls', 'dpop'],
    ],
  ])('%s is refused where its method is none of them, never taken as bearer', async (_, changes, methods) => {
    const others = (['mutual-tls', 'dpop'] as const).map((method) => [method] as const)
    for (const other of others.filter(([method]) => methods.length === 2 || !methods.includes(method))) {
      for (const options of [{}, { binding: 'when-bound' }, { mode: 'report' }] as const) {
        const verdict = await declined(guardWith({ ...options, methods: other }).judge(request(changes())))
        expect(verdict).toMatchObject({
          reason: 'confirmation_method_not_taken',
          status: 401,
          error: 'invalid_token',
          hint: expect.stringContaining('methods'),
        })
        expect(verdict.checks.at(-1)).toMatchObject({ name: 'method', expected: other[0] })
      }
    }
  })

  it('takes each token by its method alone', async () => {
    expect(reasonOf(await guardWith({ methods: ['dpop'] }).judge(request()))).toBe('admitted')
    const changes = { token: boundTo({ 'x5t#S256': thumbprint }), scheme: 'Bearer', certificate: own, proofs: [] }
    expect(reasonOf(await guardWith({ methods: ['mutual-tls'] }).judge(request(changes)))).toBe('admitted')
  })

  it('challenges with the schemes that can do', async () => {
    const asked = { method: 'GET', url, headers: {} }
    const schemesOf = async (options: Partial<GuardOptions>) =>
      (await declined(guardWith(options).judge(asked))).challenges.map((challenge) => challenge.split(' ')[0])
    expect(await schemesOf({})).toEqual(['Bearer', 'DPoP'])
    expect(await schemesOf({ methods: ['mutual-tls'] })).toEqual(['Bearer'])
    expect(await schemesOf({ methods: ['dpop'] })).toEqual(['DPoP'])
    expect(await schemesOf({ methods: ['dpop'], binding: 'when-bound' })).toEqual(['Bearer', 'DPoP'])
    expect(await schemesOf({ methods: ['dpop'], mode: 'report' })).toEqual(['Bearer', 'DPoP'])
  })

  it('[RFC9728-2] says so in its metadata', () => {
    const documentOf = (options: Partial<GuardOptions>) => guardWith(options).metadata?.document
    expect(documentOf({ dpop: { algorithms: ['ES256'] } })).toMatchObject({
      bearer_methods_supported: ['header'],
      tls_client_certificate_bound_access_tokens: true,
      dpop_signing_alg_values_supported: ['ES256'],
    })
    expect(documentOf({})).not.toHaveProperty('dpop_bound_access_tokens_required')
    expect(documentOf({ methods: ['dpop'] })).toMatchObject({ dpop_bound_access_tokens_required: true })
    expect(documentOf({ methods: ['dpop'] })).not.toHaveProperty('tls_client_certificate_bound_access_tokens')
    expect(documentOf({ methods: ['dpop'], binding: 'when-bound' })).not.toHaveProperty(
      'dpop_bound_access_tokens_required',
    )
    expect(documentOf({ methods: ['mutual-tls'] })).not.toHaveProperty('dpop_signing_alg_values_supported')
  })
})
