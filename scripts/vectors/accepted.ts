import { allAlgorithms, clock, createVector, hashOf, nonces, publicJwk, resource, type Vector } from './proofs.ts'

/** Proofs that pass. */
export async function acceptedVectors(): Promise<readonly Vector[]> {
  return [...ofAlgorithms(), ...ofMembers(), ...ofAddresses(), ...ofTimes(), ...(await ofNonces()), ...ofTokens()]
}

function ofAlgorithms(): readonly Vector[] {
  const byDefault = ['ES256', 'Ed25519', 'PS256', 'ML-DSA-44', 'ML-DSA-65']
  return [
    ...byDefault.map((key) => createVector('accepted', `alg-${key}`, `${key}, which is taken by default`, { key })),
    createVector('accepted', 'alg-EdDSA', 'EdDSA, the older name, with a key of Ed25519', {
      key: 'Ed25519',
      header: { alg: 'EdDSA' },
    }),
    ...['ES384', 'ES512', 'ML-DSA-87'].map((key) =>
      createVector('accepted', `alg-${key}`, `${key}, where the policy takes it`, { key, algorithms: allAlgorithms }),
    ),
  ]
}

function ofMembers(): readonly Vector[] {
  const jwk = publicJwk('ES256')
  return [
    createVector('accepted', 'header-unknown', 'header members that nobody knows are ignored, and nothing is fetched', {
      header: { kid: '1', jku: 'https://evil.test/keys', x5u: 'https://evil.test/x', x5c: ['AAAA'], cty: 'JWT', a: {} },
      rule: 'RFC9449-4.2',
    }),
    createVector('accepted', 'claims-unknown', 'claims that nobody knows are ignored', {
      claims: { iss: 'a', sub: 1, aud: ['b'], cnf: { jkt: 'c' }, 'https://a.test/': null },
      rule: 'RFC9449-4.2',
    }),
    createVector('accepted', 'jwk-described', 'a jwk that says what it is for', {
      header: { jwk: { ...jwk, use: 'sig', alg: 'ES256', key_ops: ['verify'], ext: true, kid: '1', x5c: [] } },
      rule: 'RFC7517-4',
    }),
    createVector('accepted', 'jwk-other-order', 'the members of the jwk in another order: the same thumbprint', {
      header: { jwk: Object.fromEntries(Object.entries(jwk).reverse()) },
      rule: 'RFC7638-3',
    }),
    createVector('accepted', 'header-other-order', 'jwk, alg and typ in another order', {
      headerText: (json) => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(json)).reverse())),
    }),
    createVector('accepted', 'json-white-space', 'JSON with white space in it', {
      headerText: (json) => `\r\n ${JSON.stringify(JSON.parse(json), null, 2)}\t`,
      claimsText: (json) => ` ${json}\n`,
      rule: 'RFC7515-5.2',
    }),
    createVector('accepted', 'json-escapes', 'JSON with escapes in names and values', {
      headerText: (json) => json.replace('"typ":"dpop', '"\\u0074yp":"\\u0064pop'),
      claimsText: (json) => json.replace('https://', 'https:\\/\\/'),
      rule: 'RFC7515-5.2',
    }),
    createVector('accepted', 'claim-twice', 'of a claim that stands there twice the last counts', {
      claimsText: (json) => json.replace('{', '{"htm":"GET","htu":"https://evil.test/",'),
      rule: 'RFC7519-4',
    }),
    createVector('accepted', 'header-twice', 'of a header member that stands there twice the last counts', {
      headerText: (json) => json.replace('{', '{"alg":"none","typ":"JWT",'),
      rule: 'RFC7515-4',
    }),
    createVector('accepted', 'proto-claim', 'a claim named __proto__ is a claim that nobody knows', {
      claimsText: (json) => json.replace('{', '{"__proto__":{"htm":"GET","exp":1},'),
    }),
    createVector('accepted', 'jti-256', 'a jti of 256 characters', { claims: { jti: 'j'.repeat(256) } }),
    createVector('accepted', 'jti-unicode', 'a jti of any characters', {
      claims: { jti: '☃ "\\ \u0000 \ud83d\ude00' },
    }),
    createVector('accepted', 'method-other', 'a method of one’s own', { method: 'PROPFIND', accessToken: 'token' }),
    createVector('accepted', 'exp-future', 'exp is the next second', {
      claims: { exp: clock + 1 },
      rule: 'RFC7519-4.1.4',
    }),
    createVector('accepted', 'nbf-ahead', 'nbf is ten seconds ahead', {
      claims: { nbf: clock + 10 },
      rule: 'RFC7519-4.1.5',
    }),
    createVector('accepted', 'ath-at-token-endpoint', 'ath at the token endpoint is ignored', {
      claims: { ath: 'AAAA' },
      rule: 'RFC9449-4.2',
    }),
  ]
}

function ofAddresses(): readonly Vector[] {
  const same: readonly (readonly [id: string, htu: string, title: string])[] = [
    ['htu-query', 'https://as.test/token?a=b', 'htu with a query'],
    ['htu-fragment', 'https://as.test/token#a', 'htu with a fragment'],
    ['htu-case', 'HTTPS://AS.Test/token', 'scheme and host in capitals'],
    ['htu-default-port', 'https://as.test:443/token', 'htu with the default port'],
    ['htu-unreserved', 'https://as.test/%74oken', 'an escape that needs none'],
    ['htu-dot-segments', 'https://as.test/a/../token', 'dot segments'],
  ]
  return [
    ...same.map(([id, htu, title]) => createVector('accepted', id, title, { claims: { htu }, rule: 'RFC9449-4.3-9' })),
    createVector('accepted', 'htu-query-of-request', 'the request has a query, htu has none', {
      url: `${resource}?page=2`,
      claims: { htu: resource },
      accessToken: 'token',
      rule: 'RFC9449-4.3-9',
    }),
    createVector('accepted', 'htu-tilde', 'the request has an escape that needs none, htu has the character', {
      url: 'https://api.test/%7Eorders',
      claims: { htu: 'https://api.test/~orders' },
      accessToken: 'token',
      rule: 'RFC9449-4.3-9',
    }),
  ]
}

function ofTimes(): readonly Vector[] {
  const rule = 'RFC9449-4.3-11'
  return [
    createVector('accepted', 'iat-60-old', '60 seconds old', { claims: { iat: clock - 60 }, rule }),
    createVector('accepted', 'iat-10-ahead', '10 seconds ahead', { claims: { iat: clock + 10 }, rule }),
    createVector('accepted', 'iat-fraction', 'iat with a fraction', { claims: { iat: clock - 0.5 }, rule }),
    createVector('accepted', 'iat-exponent', 'iat written with an exponent', {
      claimsText: (json) => json.replace('1800000000', '18e8'),
      rule,
    }),
  ]
}

async function ofNonces(): Promise<readonly Vector[]> {
  const rule = 'RFC9449-4.3-10'
  const nonce = await nonces.issue(clock)
  const old = await nonces.issue(clock - 300)
  return [
    createVector('accepted', 'nonce-fresh', 'a nonce of this moment', { nonces: 'required', claims: { nonce }, rule }),
    createVector('accepted', 'nonce-300-old', 'a nonce that is 300 seconds old', {
      nonces: 'required',
      claims: { nonce: old },
      rule,
    }),
    createVector('accepted', 'nonce-iat-anything', 'with a nonce, iat says nothing', {
      nonces: 'required',
      claims: { nonce, iat: 1 },
      rule: 'RFC9449-4.3-11',
    }),
    createVector('accepted', 'nonce-not-asked-for', 'a nonce that nobody asked for is ignored', {
      claims: { nonce: 'AAAA' },
      rule,
    }),
    createVector(
      'accepted',
      'nonce-not-asked-for-number',
      'a nonce that nobody asked for is ignored, whatever its type',
      {
        claims: { nonce: 7 },
        rule,
      },
    ),
    createVector('accepted', 'skew-none', 'on-skew: a fresh proof needs no nonce', { nonces: 'on-skew', rule }),
    createVector('accepted', 'skew-with-nonce', 'on-skew: a nonce makes up for a clock that is off', {
      nonces: 'on-skew',
      claims: { nonce, iat: clock - 7200 },
      rule,
    }),
  ]
}

function ofTokens(): readonly Vector[] {
  const rule = 'RFC9449-4.3-12'
  return [
    createVector('accepted', 'ath-right', 'ath is the hash of the access token', {
      accessToken: 'an.access.token',
      claims: { ath: hashOf('an.access.token') },
      rule,
    }),
    createVector('accepted', 'ath-with-nonce', 'an API with nonces of its own', {
      accessToken: 'an.access.token',
      nonces: 'on-skew',
      rule: 'RFC9449-9',
    }),
  ]
}
