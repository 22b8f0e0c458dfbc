import { createPublicKey } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { PresentedCertificate } from '../foundation/certificate-facts.ts'
import type { Inbound } from '../foundation/inbound.ts'
import { signatureAlgorithms } from '../foundation/jwk.ts'
import { createClientCertificate } from '../node/certificates/make.ts'
import { nodePrimitives } from '../node/primitives.ts'
import type { Reason } from '../oauth/refusal.ts'
import type { Replay } from '../proof/replay.ts'
import { presentInHandshake } from '../testing/handshake.ts'
import { inboundWith } from '../testing/inbound.ts'
import { createTestIssuer, generateTestKey, signJwt, testNow } from '../testing/issuer.ts'
import { createGuard, type GuardReport, type Needs } from './guard.ts'
import type { GuardOptions } from './policy.ts'
import type { Verdict } from './verdict.ts'

const issuer = createTestIssuer()

function guardWith(options: Partial<GuardOptions> = {}, now = issuer.now, reports: GuardReport[] = []) {
  return createGuard(
    { issuer: issuer.issuer, identifier: issuer.audience, ...options },
    { primitives: nodePrimitives, fetch: issuer.fetch, now, report: (report) => reports.push(report) },
  )
}

const required = guardWith()
const whenBound = guardWith({ binding: 'when-bound' })

function reasonOf(verdict: Verdict): Reason | 'admitted' {
  return verdict.admitted ? 'admitted' : verdict.reason
}

let own: PresentedCertificate
let other: PresentedCertificate
let renewed: PresentedCertificate
let thumbprint: string

beforeAll(async () => {
  const now = () => testNow
  const pair = await createClientCertificate({ name: 'client', keyType: 'P-256' }, { now })
  thumbprint = pair.thumbprint
  own = await present(pair)
  other = await present(await createClientCertificate({ name: 'client', keyType: 'P-256' }, { now }))
  renewed = await present(await createClientCertificate({ name: 'client', keyType: 'P-256', key: pair.key }, { now }))
})

async function present(pair: { certificate: string; key: string }): Promise<PresentedCertificate> {
  const seen = await presentInHandshake(pair)
  if (!seen) throw new Error('no certificate arrived')
  return seen
}

function bound(claims: { readonly [name: string]: unknown } = {}): string {
  return issuer.accessToken({ claims: { cnf: { 'x5t#S256': thumbprint }, ...claims } })
}

async function judge(token: string, options: { certificate?: PresentedCertificate; needs?: Needs } = {}) {
  const { certificate = own, needs } = options
  return reasonOf(await required.judge(inboundWith(token, { certificate }), needs))
}

describe('a token that is bound to the certificate of the connection', () => {
  it('[RFC8705-3] is admitted, with the token, the possession and what was checked', async () => {
    const verdict = await required.judge(inboundWith(bound(), { certificate: own }))
    expect(verdict).toMatchObject({
      admitted: true,
      token: { form: 'jwt', clientId: 'client', scope: ['api1'], confirmation: { 'x5t#S256': thumbprint } },
      possession: { member: 'x5t#S256', thumbprint },
    })
    expect(verdict.checks.every(({ passed }) => passed)).toBe(true)
  })

  it('never shows the token in a verdict', async () => {
    const token = bound()
    const signature = token.split('.')[2] ?? ''
    const verdicts = [
      await required.judge(inboundWith(token, { certificate: own })),
      await required.judge(inboundWith(token)),
    ]
    expect(JSON.stringify(verdicts)).not.toContain(signature)
  })

  it('is verified once, and judged every time', async () => {
    let verified = 0
    const now = { seconds: testNow }
    const guard = createGuard(
      { issuer: issuer.issuer, identifier: issuer.audience },
      {
        primitives: {
          ...nodePrimitives,
          verify: (...input) => {
            verified++
            return nodePrimitives.verify(...input)
          },
        },
        fetch: issuer.fetch,
        now: () => now.seconds,
      },
    )
    const token = bound()
    expect(reasonOf(await guard.judge(inboundWith(token, { certificate: own })))).toBe('admitted')
    expect(reasonOf(await guard.judge(inboundWith(token, { certificate: own })))).toBe('admitted')
    expect(reasonOf(await guard.judge(inboundWith(token)))).toBe('confirmation_certificate_missing')
    expect(reasonOf(await guard.judge(inboundWith(token, { certificate: other })))).toBe(
      'confirmation_certificate_differs',
    )
    expect(reasonOf(await guard.judge(inboundWith(token, { certificate: own }), { scope: 'more' }))).toBe(
      'scope_insufficient',
    )
    now.seconds += 305
    expect(reasonOf(await guard.judge(inboundWith(token, { certificate: own })))).toBe('token_expired')
    expect(verified).toBe(1)
  })
})

describe('S: what arrives instead of a token', () => {
  const request = (changes: Parameters<typeof inboundWith>[1]) => required.judge(inboundWith('', changes))

  it('[S01] [RFC9449-7.2-2] no Authorization: a challenge of each scheme without an error', async () => {
    const place = 'resource_metadata="https://api.test/.well-known/oauth-protected-resource"'
    expect(await request({ headers: {} })).toMatchObject({
      reason: 'token_missing',
      status: 401,
      challenges: [`Bearer ${place}`, `DPoP algs="ES256 EdDSA Ed25519 PS256 ML-DSA-44 ML-DSA-65", ${place}`],
    })
  })

  it.each(['Basic Zm9vOmJhcg==', 'Negotiate', 'Token abc', 'DPoP2 abc', 'DPoP,abc', '', ','])(
    '[S01] another scheme (%s): challenges without an error',
    async (header) => {
      const verdict = await request({ headers: { authorization: [header] } })
      expect(verdict).toMatchObject({ reason: 'token_scheme_unknown', status: 401 })
      expect(verdict).toMatchObject({
        challenges: [expect.not.stringContaining('error'), expect.not.stringContaining('error')],
      })
    },
  )

  it.each(['access_token=a', 'x=1&access_token=', 'access%5Ftoken=a'])(
    '[S02] a token in the query: %s',
    async (query) => {
      const url = `https://api.test/orders?${query}`
      expect(await request({ url, headers: {} })).toMatchObject({
        reason: 'token_in_query',
        status: 400,
        challenges: [],
      })
    },
  )

  it('[S02] a token in the form', async () => {
    const verdict = await request({ form: [['access_token', 'a']], headers: {} })
    expect(verdict).toMatchObject({ reason: 'token_in_query', status: 400 })
  })

  it('[S03] two Authorization headers', async () => {
    const header = `Bearer ${bound()}`
    const verdict = await request({ headers: { authorization: [header, header] }, certificate: own })
    expect(verdict).toMatchObject({ reason: 'token_repeated', status: 400, challenges: [] })
  })

  it('[S03] a header and a token in the query', async () => {
    const verdict = await required.judge(
      inboundWith(bound(), { url: 'https://api.test/?access_token=a', certificate: own }),
    )
    expect(verdict).toMatchObject({ reason: 'token_in_query', status: 400 })
  })

  it.each(['bearer', 'BEARER', 'bEARER'])('[S04] takes the scheme in any case: %s', async (scheme) => {
    const headers = { authorization: [`${scheme} ${bound()}`] }
    expect(reasonOf(await request({ headers, certificate: own }))).toBe('admitted')
  })

  it.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer a, Bearer b', 'Bearer "a"', `Bearer ${'a'.repeat(16_385)}`])(
    'a header that is no token: %.20s',
    async (header) => {
      expect(await request({ headers: { authorization: [header] } })).toMatchObject({
        reason: 'token_malformed',
        status: 401,
        error: 'invalid_token',
      })
    },
  )

  it.each([
    'https://api.test//evil.test/',
    'https://evil.test/',
    'https://api.testhttps://evil.test/',
    'https://api.test*',
  ])('a target that is not one path below the API: %s', async (url) => {
    expect(await request({ url })).toMatchObject({ reason: 'request_target_malformed', status: 400 })
  })
})

describe('S: what binds the token', () => {
  it('[S15] [RFC8705-3] no certificate', async () => {
    expect(await required.judge(inboundWith(bound()))).toMatchObject({
      reason: 'confirmation_certificate_missing',
      status: 401,
      challenges: [
        expect.stringMatching(/^Bearer error="invalid_token", error_description="[^"]+", resource_metadata="/),
      ],
    })
  })

  it('[S16] another certificate with the same name', async () => {
    const verdict = await required.judge(inboundWith(bound(), { certificate: other }))
    expect(verdict).toMatchObject({ reason: 'confirmation_certificate_differs', status: 401, error: 'invalid_token' })
    expect(verdict.checks.at(-1)).toMatchObject({ name: 'binding', passed: false, expected: thumbprint })
  })

  it('[S16] [RFC8705-6.3] a renewed certificate with the same key', async () => {
    expect(await judge(bound(), { certificate: renewed })).toBe('confirmation_certificate_differs')
  })

  it('[S17] the right certificate second in the chain', async () => {
    const chain = [...other.chain, ...own.chain]
    expect(await judge(bound(), { certificate: { chain, from: 'tls' } })).toBe('confirmation_certificate_differs')
  })

  it('[S18] a certificate on its last second, and one that has expired since', async () => {
    const { notAfter } = nodePrimitives.readCertificate(own)
    const long = bound({ exp: notAfter + 1000, iat: testNow })
    const at = (now: number) => guardWith({}, () => now).judge(inboundWith(long, { certificate: own }))
    expect(reasonOf(await at(notAfter))).toBe('admitted')
    const verdict = await at(notAfter + 1)
    expect(verdict).toMatchObject({ reason: 'confirmation_certificate_unacceptable', status: 401 })
    expect(verdict.checks.at(-1)).toMatchObject({ name: 'certificate', seen: 'certificate_expired' })
  })

  it('bytes that are no certificate', async () => {
    expect(await judge(bound(), { certificate: { chain: ['AAAA'], from: 'tls' } })).toBe(
      'confirmation_certificate_unacceptable',
    )
  })

  it.each([
    ['with padding', (it: string) => `${it}=`],
    ['in hex', (it: string) => Buffer.from(it, 'base64url').toString('hex')],
    ['in upper case', (it: string) => it.toUpperCase()],
    ['empty', () => ''],
    ['a number', () => 1],
    ['an array', (it: string) => [it]],
    ['null', () => null],
  ])('[S19] an x5t#S256 %s', async (_, spell) => {
    const reason = await judge(bound({ cnf: { 'x5t#S256': spell(thumbprint) } }))
    expect(['confirmation_malformed', 'confirmation_certificate_differs']).toContain(reason)
  })

  it('[S19] a SHA-1 x5t', async () => {
    expect(await judge(bound({ cnf: { x5t: thumbprint.slice(0, 27) } }))).toBe('confirmation_unknown')
  })

  it.each<[unknown, Reason]>([
    [null, 'confirmation_malformed'],
    [[], 'confirmation_malformed'],
    ['', 'confirmation_malformed'],
    [{}, 'confirmation_unknown'],
    [{ unknown: 1 }, 'confirmation_unknown'],
    [{ jwk: { kty: 'EC' } }, 'confirmation_unknown'],
    [{ kid: 'a' }, 'confirmation_unknown'],
  ])('[S20] cnf = %j', async (cnf, reason) => {
    expect(await judge(bound({ cnf }))).toBe(reason)
    expect(reasonOf(await whenBound.judge(inboundWith(bound({ cnf }))))).toBe(reason)
  })

  it('[S20] ignores an unknown member beside a proven one', async () => {
    expect(await judge(bound({ cnf: { 'x5t#S256': thumbprint, unknown: 1 } }))).toBe('admitted')
  })

  it('[S21] no cnf, where binding is required', async () => {
    expect(await judge(bound({ cnf: undefined }))).toBe('binding_missing')
    expect(reasonOf(await whenBound.judge(inboundWith(bound({ cnf: undefined }))))).toBe('admitted')
  })

  it('does not judge a certificate to which nothing is bound', async () => {
    const certificate: PresentedCertificate = { chain: ['AAAA'], from: 'tls' }
    const token = bound({ cnf: undefined })
    expect(reasonOf(await whenBound.judge(inboundWith(token, { certificate })))).toBe('admitted')
  })
})

describe('S: the JWT', () => {
  it.each(signatureAlgorithms)('[RFC9068-4] takes %s', async (algorithm) => {
    const its = createTestIssuer({ algorithm })
    const guard = createGuard(
      { issuer: its.issuer, identifier: its.audience, binding: 'when-bound' },
      { primitives: nodePrimitives, fetch: its.fetch, now: its.now },
    )
    expect(reasonOf(await guard.judge(inboundWith(its.accessToken())))).toBe('admitted')
    expect(reasonOf(await guard.judge(inboundWith(its.accessToken({ key: generateTestKey(algorithm) }))))).toBe(
      'token_signature',
    )
  })

  it.each(['', 'AAAA', 'A'.repeat(86)])('[S22] a wrong signature: %.4s', async (signature) => {
    const token = issuer.accessToken({ claims: { cnf: { 'x5t#S256': thumbprint } }, signature })
    expect(await judge(token)).toBe('token_signature')
  })

  it.each(['none', 'None', 'nOnE', 'HS256', 'RS1', 'ES256K', 1, undefined])('[S22] alg %s', async (alg) => {
    expect(await judge(issuer.accessToken({ header: { alg }, signature: '' }))).toBe('token_algorithm')
  })

  it.each(['ES384', 'RS256', 'EdDSA'])('[S22] alg %s with the name of an ES256 key', async (alg) => {
    expect(await judge(issuer.accessToken({ header: { alg }, signature: 'AAAA' }))).toBe('token_key_unknown')
  })

  it.each(['JWT', undefined, 'dpop+jwt', 'AT+JWT', 'at+jwt ', 1])('[S23] typ %s', async (typ) => {
    expect(await judge(issuer.accessToken({ header: { typ } }))).toBe('token_type_wrong')
  })

  it('takes the long name of the type', async () => {
    const token = issuer.accessToken({ header: { typ: 'application/at+jwt' } })
    expect(reasonOf(await whenBound.judge(inboundWith(token)))).toBe('admitted')
  })

  it.each([
    'https://other.test',
    'https://issuer',
    'https://issuer.test/',
    'https://ISSUER.test',
    'HTTPS://issuer.test',
  ])('[S24] iss %s', async (iss) => expect(await judge(bound({ iss }))).toBe('token_issuer'))

  it.each<[unknown, Reason | 'admitted']>([
    ['https://other.test', 'token_audience'],
    ['*', 'token_audience'],
    ['https://api.test/', 'token_audience'],
    [[], 'token_audience'],
    [undefined, 'token_claims_malformed'],
    [[1, 'https://api.test'], 'token_claims_malformed'],
    [Array.from({ length: 101 }, () => 'https://api.test'), 'token_claims_malformed'],
    [['https://other.test', 'https://api.test'], 'admitted'],
  ])('[S25] aud %.60j', async (aud, reason) => expect(await judge(bound({ aud }))).toBe(reason))

  it.each<[string, object, Reason | 'admitted']>([
    ['exp just within the skew', { exp: testNow - 4 }, 'admitted'],
    ['exp passed by the skew', { exp: testNow - 5 }, 'token_expired'],
    ['no exp', { exp: undefined }, 'token_claims_malformed'],
    ['exp as text', { exp: String(testNow + 60) }, 'token_claims_malformed'],
    ['exp 2^53+1', { exp: 2 ** 53 }, 'token_claims_malformed'],
    ['a negative exp', { exp: -1 }, 'token_claims_malformed'],
    ['nbf ahead within the skew', { nbf: testNow + 5 }, 'admitted'],
    ['nbf ahead', { nbf: testNow + 6 }, 'token_not_yet_valid'],
    ['iat ahead within the skew', { iat: testNow + 5 }, 'admitted'],
    ['iat ahead', { iat: testNow + 6 }, 'token_not_yet_valid'],
    ['iat as text', { iat: 'now' }, 'token_claims_malformed'],
  ])('[RFC6749-7-1] [S26] %s', async (_, claims, reason) => expect(await judge(bound({ ...claims }))).toBe(reason))

  it.each(['iss', 'sub', 'client_id', 'jti', 'iat'])(
    '[RFC9068-2.2] no %s, an empty one, or one that is no text',
    async (name) => {
      for (const value of [undefined, '', {}, null]) {
        expect(await judge(bound({ [name]: value }))).toBe('token_claims_malformed')
      }
    },
  )

  it.each<[unknown, Needs['scope'], Reason | 'admitted']>([
    ['read write', 'read', 'admitted'],
    ['read write', 'write read', 'admitted'],
    ['read write', ['read', 'write'], 'admitted'],
    ['read', 'write', 'scope_insufficient'],
    ['readonly', 'read', 'scope_insufficient'],
    ['read', 'readonly', 'scope_insufficient'],
    [undefined, 'read', 'scope_insufficient'],
    ['', 'read', 'scope_insufficient'],
    [['read'], 'read', 'token_claims_malformed'],
    [1, 'read', 'token_claims_malformed'],
    ['read  write', 'read', 'token_claims_malformed'],
  ])('[RFC6749-7-1] [S28] scope %j where %j is needed', async (scope, needed, reason) => {
    expect(await judge(bound({ scope }), { needs: { scope: needed ?? [] } })).toBe(reason)
  })

  it('[S27] [RFC6750-3.1] names the scope that is needed', async () => {
    expect(
      await required.judge(inboundWith(bound(), { certificate: own }), { scope: ['read', 'write'] }),
    ).toMatchObject({
      status: 403,
      error: 'insufficient_scope',
      challenges: [expect.stringContaining('Bearer error="insufficient_scope"')],
    })
    const verdict = await required.judge(inboundWith(bound(), { certificate: own }), { scope: 'read write' })
    expect(verdict).toMatchObject({ challenges: [expect.stringContaining('scope="read write"')] })
  })

  it('[S31] does not look at keys in the header', async () => {
    const key = generateTestKey('ES256')
    const jwk = createPublicKey(key).export({ format: 'jwk' })
    const header = { jwk, jku: 'https://evil.test/keys', x5u: 'https://evil.test/x', x5c: ['AAAA'] }
    const before = issuer.fetched.length
    expect(await judge(issuer.accessToken({ header, key }))).toBe('token_signature')
    expect(reasonOf(await whenBound.judge(inboundWith(issuer.accessToken({ header }))))).toBe('admitted')
    expect(issuer.fetched.length).toBe(before)
  })

  it.each([{ crit: ['exp'] }, { crit: [] }, { b64: false }, { zip: 'DEF' }])(
    '[RFC7515-4.1.11] header %j',
    async (header) => {
      expect(await judge(issuer.accessToken({ header }))).toBe('token_algorithm')
    },
  )

  it('[S37] an encrypted token', async () => {
    expect(await judge('eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA')).toBe('token_malformed')
  })

  it('[S37] a nested token and a detached payload', async () => {
    const [header = '', , signature = ''] = bound().split('.')
    expect(await judge(`${header}..${signature}`)).toBe('token_malformed')
    const inner = Buffer.from(bound()).toString('base64url')
    expect(await judge(`${header}.${inner}.${signature}`)).toBe('token_malformed')
  })

  it('[S38] a token of 16 KiB, at once', async () => {
    const begun = performance.now()
    expect(await judge(bound({ padding: 'a'.repeat(16_384) }))).toBe('token_malformed')
    expect(performance.now() - begun).toBeLessThan(5000)
  })

  it('an algorithm confusion: HS256 with the text of our key', async () => {
    const header = { alg: 'HS256', typ: 'at+jwt', kid: 'test-key' }
    expect(await judge(signJwt(header, {}, issuer.key, 'AAAA'))).toBe('token_algorithm')
  })
})

describe('S40: what is said to the outside', () => {
  it('never repeats what came in', async () => {
    const evil = 'evil"\\\r\nSet-Cookie: a=b'
    const verdicts = [
      await required.judge(inboundWith(bound({ iss: evil }), { certificate: own })),
      await required.judge(inboundWith(evil)),
      await required.judge(inboundWith(issuer.accessToken({ header: { typ: evil } }))),
    ]
    for (const verdict of verdicts) {
      if (verdict.admitted) throw new Error('admitted')
      expect(verdict.challenges.join()).not.toContain('evil')
      expect(verdict.says).not.toContain('evil')
    }
  })
})

describe('a guard that only reports', () => {
  it('admits a valid token that is not bound, and says so', async () => {
    const reports: GuardReport[] = []
    const guard = guardWith({ mode: 'report' }, issuer.now, reports)
    const verdict = await guard.judge(inboundWith(bound({ cnf: undefined })))
    expect(verdict).toMatchObject({ admitted: true, reported: 'binding_missing' })
    expect(verdict.checks.filter(({ passed }) => !passed)).toMatchObject([{ name: 'binding' }])
    expect(reports).toMatchObject([{ event: 'unbound_token_admitted', client: 'client', level: 'warn' }])
  })

  it('refuses everything else', async () => {
    const guard = guardWith({ mode: 'report' })
    expect(reasonOf(await guard.judge(inboundWith(bound())))).toBe('confirmation_certificate_missing')
    expect(reasonOf(await guard.judge(inboundWith(bound(), { certificate: other })))).toBe(
      'confirmation_certificate_differs',
    )
    expect(reasonOf(await guard.judge(inboundWith(bound({ cnf: undefined, aud: 'other' }))))).toBe('token_audience')
    expect(reasonOf(await guard.judge(inboundWith('', { headers: {} })))).toBe('token_missing')
  })
})

describe('RFC 8705 §7.1 resumed TLS sessions', () => {
  const resumed = (): PresentedCertificate => ({ ...own, resumed: true })

  it('warns once', async () => {
    const reports: GuardReport[] = []
    const guard = guardWith({}, issuer.now, reports)
    for (let i = 0; i < 3; i++) {
      expect(reasonOf(await guard.judge(inboundWith(bound(), { certificate: resumed() })))).toBe('admitted')
    }
    expect(reports).toMatchObject([{ event: 'session_resumed' }])
  })

  it('refuses where asked to', async () => {
    const guard = guardWith({ resumedSessions: 'refuse' })
    expect(await guard.judge(inboundWith(bound(), { certificate: resumed() }))).toMatchObject({
      reason: 'session_resumed',
      status: 401,
    })
  })
})

describe('options that cannot be', () => {
  it.each<[string, Partial<GuardOptions>]>([
    ['issuer', { issuer: 'http://issuer.test' }],
    ['identifier', { identifier: 'api' }],
    ['origin', { identifier: 'urn:api' }],
    ['origin', { origin: 'https://api.test/' }],
    ['tokens', { tokens: [] }],
    ['introspection', { tokens: ['reference'] }],
    ['binding', { binding: 'Required' as 'required' }],
    ['mode', { mode: '' as 'enforce' }],
    ['resumedSessions', { resumedSessions: 'refused' as 'refuse' }],
    ['clockSkew', { clockSkew: Number.NaN }],
    ['clockSkew', { clockSkew: '5' as unknown as number }],
    ['clockSkew', { clockSkew: -1 }],
    ['methods', { methods: [] }],
    ['methods', { methods: ['mtls' as 'mutual-tls'] }],
    ['dpop', { methods: ['mutual-tls'], dpop: {} }],
    ['dpop.algorithms', { dpop: { algorithms: [] } }],
    ['dpop.algorithms', { dpop: { algorithms: ['RS256' as 'PS256'] } }],
    ['dpop.algorithms', { dpop: { algorithms: ['ES256', 'none' as 'PS256'] } }],
    ['dpop.nonces', { dpop: { nonces: 'optional' as 'off' } }],
    ['dpop.nonceKey', { dpop: { nonceKey: new Uint8Array(31) } }],
    ['dpop.nonceKey', { dpop: { nonceKey: 'A'.repeat(32) as unknown as Uint8Array } }],
    ['dpop.replay', { dpop: { replay: {} as Replay } }],
  ])('names %s: %j', (name, options) => {
    expect(() => guardWith(options)).toThrow(new RegExp(`^${name}: `))
  })

  it('an identifier without a place has a realm instead of metadata', async () => {
    const guard = guardWith({ identifier: 'urn:api', origin: 'https://api.test' })
    expect(guard.metadata).toBeUndefined()
    expect(await guard.judge(inboundWith('', { headers: {} }))).toMatchObject({
      challenges: ['Bearer realm="urn:api"', expect.stringMatching(/^DPoP algs="[^"]+", realm="urn:api"$/)],
    })
  })
})

describe('what goes wrong inside', () => {
  it('is a verdict of 500, whatever throws', async () => {
    const guard = createGuard(
      { issuer: issuer.issuer, identifier: issuer.audience },
      {
        primitives: nodePrimitives,
        fetch: issuer.fetch,
        now: () => {
          throw new Error('no clock')
        },
        report: () => {
          throw new Error('no log')
        },
      },
    )
    expect(await guard.judge(inboundWith(bound(), { certificate: own }))).toMatchObject({
      reason: 'server_error',
      status: 500,
    })
  })
  it.each([undefined, {}, { method: 'GET', url: 'https://api.test/' }, { headers: {} }])(
    'is a verdict of 500 for what is no request: %j',
    async (inbound) => {
      // as: callers without a compiler hand over anything.
      expect(await required.judge(inbound as Inbound)).toMatchObject({ reason: 'server_error', status: 500 })
    },
  )
})
