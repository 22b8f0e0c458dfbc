import { allAlgorithms, clock, createVector, hashOf, nonces, type Particulars, type Vector } from './proofs.ts'
import { addressVectors } from './refused-addresses.ts'
import { keyVectors } from './refused-keys.ts'

/** Proofs with one thing wrong each, in the order of the checks. */
export async function refusedVectors(): Promise<readonly Vector[]> {
  return [
    ...repeated(),
    ...malformed(),
    ...withWrongClaims(),
    ...ofWrongType(),
    ...ofWrongAlgorithm(),
    ...keyVectors(),
    ...forWrongMethod(),
    ...addressVectors(),
    ...(await withWrongNonce()),
    ...atWrongTime(),
    ...forWrongToken(),
  ]
}

function repeated(): readonly Vector[] {
  const refuse = (id: string, title: string, proofs: NonNullable<Particulars['proofs']>): Vector =>
    createVector('dpop_repeated', id, title, { proofs })
  return [
    refuse('repeated-header', 'two headers, the same proof in both', (proof) => [proof, proof]),
    refuse('repeated-header-empty', 'two headers, the second one empty', (proof) => [proof, '']),
    refuse('repeated-header-other', 'two headers, the first one no proof', (proof) => ['a', proof]),
    refuse('repeated-comma', 'two proofs in one header', (proof) => [`${proof}, ${proof}`]),
    refuse('repeated-comma-tight', 'two proofs in one header, no space between', (proof) => [`${proof},${proof}`]),
    refuse('repeated-comma-end', 'a comma at the end', (proof) => [`${proof},`]),
  ]
}

function malformed(): readonly Vector[] {
  const cut = (id: string, title: string, change: (parts: readonly [string, string, string]) => string): Vector =>
    createVector('dpop_malformed', id, title, {
      proofs: (proof) => [change(proof.split('.') as [string, string, string])],
    })
  const headers = (id: string, title: string, headerText: Particulars['headerText']): Vector =>
    createVector('dpop_malformed', id, title, { ...(headerText && { headerText }) })
  const claims = (id: string, title: string, claimsText: Particulars['claimsText']): Vector =>
    createVector('dpop_malformed', id, title, { ...(claimsText && { claimsText }) })
  return [
    cut('malformed-empty', 'an empty header is not "no proof"', () => ''),
    cut('malformed-dots', 'three empty parts', () => '..'),
    cut('malformed-one-part', 'one part', ([header]) => header),
    cut('malformed-two-parts', 'two parts', ([header, payload]) => `${header}.${payload}`),
    cut('malformed-four-parts', 'four parts', (parts) => `${parts.join('.')}.AAAA`),
    cut('malformed-five-parts', 'five parts, as of something encrypted', (parts) => `${parts.join('.')}.AAAA.AAAA`),
    cut('malformed-detached', 'no claims between the dots', ([header, , signature]) => `${header}..${signature}`),
    cut('malformed-no-header', 'nothing before the first dot', ([, payload, signature]) => `.${payload}.${signature}`),
    cut('malformed-scheme', 'the word DPoP before it', (parts) => `DPoP ${parts.join('.')}`),
    cut('malformed-quoted', 'in quotation marks', (parts) => `"${parts.join('.')}"`),
    cut('malformed-space', 'a space in it', (parts) => parts.join('. ')),
    cut('malformed-padding', 'base64url with padding', ([header, payload, s]) => `${header}.${payload}.${s}==`),
    cut(
      'malformed-standard-base64',
      'base64 with + and /',
      ([header, payload]) => `${header}.${payload}.${'+/'.repeat(43)}`,
    ),
    cut('malformed-stray-bits', 'stray bits at the end of the signature', (parts) => withStrayBits(parts.join('.'))),
    cut('malformed-json-form', 'the JSON form of a signature', ([header, payload]) =>
      JSON.stringify({ payload, signatures: [{ header, signature: 'AAAA' }] }).replaceAll(',', ' '),
    ),
    cut('malformed-long', 'longer than 16384 characters', (parts) => `${parts.join('.')}${'A'.repeat(16_384)}`),
    headers('malformed-header-no-json', 'a header that is no JSON', (json) => json.slice(0, -1)),
    headers('malformed-header-array', 'a header that is an array', (json) => `[${json}]`),
    headers('malformed-header-null', 'a header that is null', () => 'null'),
    headers('malformed-header-string', 'a header that is a string', (json) => JSON.stringify(json)),
    headers('malformed-header-two', 'a header of two objects', (json) => `${json}${json}`),
    headers('malformed-header-mark', 'a byte order mark before the header', (json) => `\ufeff${json}`),
    claims('malformed-claims-no-json', 'claims that are no JSON', (json) => json.replaceAll('"', "'")),
    claims('malformed-claims-array', 'claims that are an array', (json) => `[${json}]`),
    claims('malformed-claims-number', 'claims that are a number', () => '1'),
    claims('malformed-claims-mark', 'a byte order mark before the claims', (json) => `\ufeff${json}`),
    claims('malformed-claims-latin1', 'claims that are not UTF-8', (json) =>
      Buffer.from(`${json.slice(0, -1)},"a":"é"}`, 'latin1'),
    ),
    claims(
      'malformed-claims-deep',
      'claims nested in 17 levels',
      (json) => `${json.slice(0, -1)},"a":${'['.repeat(16)}${']'.repeat(16)}}`,
    ),
  ]
}

/** 64 bytes are 86 characters, the last of which has four bits too many. */
function withStrayBits(proof: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return `${proof.slice(0, -1)}${alphabet[alphabet.indexOf(proof.slice(-1)) + 1]}`
}

function withWrongClaims(): readonly Vector[] {
  const wrong: Readonly<Record<string, readonly (readonly [kind: string, value: unknown])[]>> = {
    jti: [...kinds, ['empty', ''], ['number', 1], ['257', 'j'.repeat(257)]],
    htm: [...kinds, ['number', 1], ['array-of-it', ['POST']]],
    htu: [...kinds, ['number', 1], ['array-of-it', ['https://as.test/token']]],
    iat: [...kinds, ['text', String(clock)], ['negative', -1], ['huge', 2 ** 53]],
    exp: [
      ['text', String(clock + 60)],
      ['null', null],
      ['array', [clock + 60]],
    ],
    nbf: [
      ['text', String(clock)],
      ['null', null],
    ],
  }
  const claims = Object.entries(wrong).flatMap(([claim, values]) =>
    values.map(([kind, value]) =>
      createVector('dpop_claims_malformed', `claim-${claim}-${kind}`, `${claim}: ${kind.replaceAll('-', ' ')}`, {
        claims: { [claim]: value },
      }),
    ),
  )
  const noKeys = [...kinds.filter(([kind]) => kind !== 'object'), ['text', 'key'] as const, ['number', 1] as const]
  const keys = noKeys.map(([kind, value]) =>
    createVector('dpop_claims_malformed', `jwk-${kind}`, `jwk: ${kind}`, { header: { jwk: value } }),
  )
  const infinite = createVector('dpop_claims_malformed', 'claim-iat-infinite', 'iat: 1e999', {
    claimsText: (json) => json.replace('1800000000', '1e999'),
  })
  return [...claims, infinite, ...keys]
}

const kinds: readonly (readonly [kind: string, value: unknown])[] = [
  ['missing', undefined],
  ['null', null],
  ['true', true],
  ['array', []],
  ['object', {}],
]

function ofWrongType(): readonly Vector[] {
  const types: readonly (readonly [kind: string, typ: unknown])[] = [
    ['missing', undefined],
    ['JWT', 'JWT'],
    ['access-token', 'at+jwt'],
    ['capitals', 'DPoP+JWT'],
    ['media-type', 'application/dpop+jwt'],
    ['space', 'dpop+jwt '],
    ['array', ['dpop+jwt']],
    ['number', 1],
    ['null', null],
  ]
  return types.map(([kind, typ]) =>
    createVector('dpop_type', `typ-${kind}`, `typ: ${JSON.stringify(typ) ?? 'missing'}`, { header: { typ } }),
  )
}

function ofWrongAlgorithm(): readonly Vector[] {
  const refuse = (id: string, title: string, particulars: Particulars): Vector =>
    createVector('dpop_algorithm', `alg-${id}`, title, particulars)
  const names: readonly (readonly [kind: string, alg: unknown])[] = [
    ['missing', undefined],
    ['none', 'none'],
    ['None', 'None'],
    ['lower-case', 'es256'],
    ['RS1', 'RS1'],
    ['unknown', 'ES257'],
    ['toString', 'toString'],
    ['proto', '__proto__'],
    ['array', ['ES256']],
    ['number', -7],
    ['null', null],
  ]
  const signed = (alg: string, key: string): Vector =>
    refuse(`${alg}-refused`, `${alg}, which the policy does not take`, { key, header: { alg } })
  return [
    ...names.map(([kind, alg]) => refuse(kind, `alg: ${JSON.stringify(alg) ?? 'missing'}`, { header: { alg } })),
    refuse('none-unsigned', 'alg none, and no signature', {
      header: { alg: 'none' },
      signature: () => Buffer.alloc(0),
    }),
    refuse('HS256', 'a MAC', { header: { alg: 'HS256' } }),
    refuse('RS256', 'RS256, well signed', {
      key: 'PS256',
      header: { alg: 'RS256' },
      signs: 'RS256',
      algorithms: allAlgorithms,
    }),
    refuse('ES256K', 'ES256K, well signed', { key: 'secp256k1', algorithms: allAlgorithms }),
    signed('ES384', 'ES384'),
    signed('ES512', 'ES512'),
    signed('ML-DSA-87', 'ML-DSA-87'),
    refuse('crit', 'a critical header that nobody knows', {
      header: { crit: ['exp'], exp: clock + 60 },
      rule: 'RFC7515-4.1.11',
    }),
    refuse('crit-empty', 'an empty list of critical headers', { header: { crit: [] }, rule: 'RFC7515-4.1.11' }),
    refuse('b64', 'claims that are not encoded', { header: { b64: false, crit: ['b64'] }, rule: 'RFC7797-6' }),
    refuse('b64-alone', 'b64, and not critical', { header: { b64: false }, rule: 'RFC7797-6' }),
    refuse('zip', 'compressed', { header: { zip: 'DEF' }, rule: 'RFC7515-4' }),
  ]
}

function forWrongMethod(): readonly Vector[] {
  return [
    ['get', 'GET'],
    ['lower-case', 'post'],
    ['mixed-case', 'Post'],
    ['space', 'POST '],
    ['empty', ''],
    ['both', 'POST GET'],
  ].map(([kind, htm]) =>
    createVector('dpop_method_differs', `htm-${kind}`, `htm: ${JSON.stringify(htm)}`, { claims: { htm } }),
  )
}

async function withWrongNonce(): Promise<readonly Vector[]> {
  const nonce = await nonces.issue(clock)
  const refuse = (id: string, title: string, value: unknown, particulars: Particulars = {}): Vector =>
    createVector('dpop_nonce_unknown', `nonce-${id}`, title, {
      nonces: 'required',
      claims: { nonce: value },
      ...particulars,
    })
  const future = await nonces.issue(clock + 10)
  const old = await nonces.issue(clock - 310)
  return [
    createVector('dpop_nonce_missing', 'nonce-missing', 'required, and none there', { nonces: 'required' }),
    refuse('null', 'null', null),
    refuse('empty', 'empty', ''),
    refuse('number', 'a number', clock),
    refuse('true', 'true', true),
    refuse('array', 'an array of a good one', [nonce]),
    refuse('object', 'an object', { nonce }),
    refuse('foreign', 'one that this server did not make', 'AAAAAGtJ0gAAAAAAAAAAAAAAAAAAAAAA'),
    refuse('altered-time', 'its time altered', `${nonce.slice(0, 9)}${nonce[9] === 'A' ? 'B' : 'A'}${nonce.slice(10)}`),
    refuse('altered-end', 'its last character altered', `${nonce.slice(0, -1)}${nonce.endsWith('A') ? 'B' : 'A'}`),
    refuse('shorter', 'a character too short', nonce.slice(0, -1)),
    refuse('longer', 'a character too long', `${nonce}A`),
    refuse('padded', 'with padding', `${nonce}=`),
    refuse('301-old', '301 seconds old', await nonces.issue(clock - 300), { clock: clock + 1 }),
    refuse('310-old', '310 seconds old', old),
    refuse('future', 'of ten seconds to come', future),
    refuse('skew', 'on-skew: a wrong nonce in a fresh proof', 'AAAA', { nonces: 'on-skew' }),
  ]
}

function atWrongTime(): readonly Vector[] {
  const stale = (id: string, title: string, particulars: Particulars): Vector =>
    createVector('dpop_stale', id, title, particulars)
  const early = (id: string, title: string, particulars: Particulars): Vector =>
    createVector('dpop_early', id, title, particulars)
  const skewed = (id: string, title: string, iat: number): Vector =>
    createVector('dpop_skewed', id, title, { nonces: 'on-skew', claims: { iat } })
  return [
    stale('iat-61-old', '61 seconds old', { claims: { iat: clock - 61 } }),
    stale('iat-60.5-old', '60 seconds and a half old', { claims: { iat: clock - 60.5 } }),
    stale('iat-zero', 'of 1970', { claims: { iat: 0 } }),
    stale('exp-now', 'exp is now', { claims: { exp: clock }, rule: 'RFC7519-4.1.4' }),
    stale('exp-past', 'exp is past', { claims: { exp: clock - 1 }, rule: 'RFC7519-4.1.4' }),
    early('iat-11-ahead', '11 seconds ahead', { claims: { iat: clock + 11 } }),
    early('iat-milliseconds', 'iat in milliseconds', { claims: { iat: clock * 1000 } }),
    early('nbf-11-ahead', 'nbf is 11 seconds ahead', { claims: { nbf: clock + 11 }, rule: 'RFC7519-4.1.5' }),
    skewed('skew-61-old', 'on-skew: 61 seconds old asks for a nonce', clock - 61),
    skewed('skew-11-ahead', 'on-skew: 11 seconds ahead asks for a nonce', clock + 11),
  ]
}

function forWrongToken(): readonly Vector[] {
  const accessToken = 'an.access.token'
  const ath = hashOf(accessToken)
  const wrong: readonly (readonly [kind: string, value: unknown])[] = [
    ['missing', undefined],
    ['null', null],
    ['number', 1],
    ['array', [ath]],
    ['empty', ''],
    ['of-another', hashOf('another.access.token')],
    ['padded', `${ath}=`],
    ['cut', ath.slice(0, -1)],
    ['of-the-header', hashOf(`DPoP ${accessToken}`)],
    ['hexadecimal', Buffer.from(ath, 'base64url').toString('hex')],
    ['the-token', accessToken],
  ]
  return wrong.map(([kind, value]) =>
    createVector('dpop_token_differs', `ath-${kind}`, `ath: ${kind.replaceAll('-', ' ')}`, {
      accessToken,
      claims: { ath: value },
    }),
  )
}
