import { allAlgorithms, createVector, type Particulars, privateJwk, publicJwk, type Vector } from './proofs.ts'

/** Keys that are none, and signatures that are not theirs. */
export function keyVectors(): readonly Vector[] {
  return [...privateKeys(), ...unfitKeys(), ...malformedKeys(), ...wrongSignatures()]
}

function privateKeys(): readonly Vector[] {
  const jwk = publicJwk('ES256')
  const member = (name: string, value: unknown): Vector =>
    createVector('dpop_key_private', `private-${name}`, `jwk with ${name}`, {
      header: { jwk: { ...jwk, [name]: value } },
    })
  return [
    createVector('dpop_key_private', 'private-EC', 'the whole key, private part and all', {
      header: { jwk: privateJwk('ES256') },
    }),
    createVector('dpop_key_private', 'private-RSA', 'the whole RSA key', {
      key: 'PS256',
      header: { jwk: privateJwk('PS256') },
    }),
    createVector('dpop_key_private', 'private-AKP', 'the whole ML-DSA key', {
      key: 'ML-DSA-44',
      header: { jwk: privateJwk('ML-DSA-44') },
    }),
    ...['p', 'q', 'dp', 'dq', 'qi', 'k'].map((name) => member(name, 'AAAA')),
    member('oth', []),
    createVector('dpop_key_private', 'private-d-null', 'jwk with d: null', { header: { jwk: { ...jwk, d: null } } }),
    createVector('dpop_key_private', 'private-oct', 'a secret key', { header: { jwk: { kty: 'oct', k: 'AAAA' } } }),
  ]
}

function unfitKeys(): readonly Vector[] {
  const refuse = (id: string, title: string, particulars: Particulars): Vector =>
    createVector('dpop_key', `unfit-${id}`, title, { rule: 'RFC8725-3.1', ...particulars })
  const jwk = publicJwk('ES256')
  return [
    refuse('ES256-RSA', 'ES256 with an RSA key', { key: 'PS256', header: { alg: 'ES256' } }),
    refuse('ES256-P-384', 'ES256 with a key of P-384', { key: 'ES384', header: { alg: 'ES256' }, signs: 'ES256' }),
    refuse('PS256-EC', 'PS256 with an EC key', { header: { alg: 'PS256' } }),
    refuse('Ed25519-EC', 'Ed25519 with an EC key', { header: { alg: 'Ed25519' } }),
    refuse('EdDSA-X25519', 'EdDSA with a key of X25519', { key: 'X25519' }),
    refuse('EdDSA-Ed448', 'EdDSA with a key of Ed448, well signed', { key: 'Ed448' }),
    refuse('Ed25519-Ed448', 'Ed25519 with a key of Ed448', { key: 'Ed448', header: { alg: 'Ed25519' } }),
    refuse('ML-DSA-44-65', 'ML-DSA-44 with a key of ML-DSA-65', { key: 'ML-DSA-65', header: { alg: 'ML-DSA-44' } }),
    refuse('ES256-ML-DSA', 'ES256 with a key of ML-DSA-44', { key: 'ML-DSA-44', header: { alg: 'ES256' } }),
    refuse('ES256-secp256k1', 'ES256 with a key of secp256k1', { key: 'secp256k1', header: { alg: 'ES256' } }),
    refuse('oct', 'ES256 with a key of type oct', { header: { jwk: { kty: 'oct' } } }),
    refuse('use', 'a key for encryption', { header: { jwk: { ...jwk, use: 'enc' } }, rule: 'RFC7517-4.2' }),
    refuse('alg', 'a key for another algorithm', { header: { jwk: { ...jwk, alg: 'ES384' } }, rule: 'RFC7517-4.4' }),
    refuse('alg-number', 'alg of the key is a number', { header: { jwk: { ...jwk, alg: -7 } }, rule: 'RFC7517-4.4' }),
    refuse('RSA-1024', 'an RSA key of 1024 bit, well signed', { key: 'RSA of 1024 bit', rule: 'RFC7518-3.5' }),
    refuse('RSA-exponent-3', 'an RSA key with e = 3, well signed', { key: 'RSA with exponent 3', rule: 'RFC8725-3.1' }),
  ]
}

function malformedKeys(): readonly Vector[] {
  const refuse = (id: string, title: string, jwk: object, key = 'ES256', algorithms = allAlgorithms): Vector =>
    createVector('dpop_key', `key-${id}`, title, { key, header: { jwk }, rule: 'RFC7638-3', algorithms })
  const ec = publicJwk('ES256')
  const [x, y] = [Buffer.from(String(ec.x), 'base64url'), Buffer.from(String(ec.y), 'base64url')]
  const rsa = publicJwk('PS256')
  const n = Buffer.from(String(rsa.n), 'base64url')
  const even = Buffer.from(n)
  even[n.length - 1] = (even.at(-1) ?? 0) & 0xfe
  const akp = publicJwk('ML-DSA-44')
  const [x33, x31] = [Buffer.concat([Buffer.alloc(1), x]), x.subarray(1)].map((bytes) => bytes.toString('base64url'))
  return [
    refuse('x-33-bytes', 'x with a zero byte before it', { ...ec, x: x33 }),
    refuse('x-31-bytes', 'x of 31 bytes', { ...ec, x: x31 }),
    refuse('x-padded', 'x with padding', { ...ec, x: `${ec.x}=` }),
    refuse('x-space', 'x with a space', { ...ec, x: `${ec.x} ` }),
    refuse('x-array', 'x in an array', { ...ec, x: [ec.x] }),
    refuse('y-missing', 'no y', { ...ec, y: undefined }),
    refuse('y-hexadecimal', 'y in hexadecimal', { ...ec, y: y.toString('hex') }),
    refuse('crv-other-name', 'another name of the curve', { ...ec, crv: 'prime256v1' }),
    refuse('crv-missing', 'no curve', { ...ec, crv: undefined }),
    refuse('kty-lower-case', 'kty in small letters', { ...ec, kty: 'ec' }),
    refuse('kty-missing', 'no kty', { ...ec, kty: undefined }),
    refuse('kty-array', 'kty in an array', { ...ec, kty: ['EC'] }),
    refuse('empty', 'no member at all', {}),
    refuse('set', 'a set of keys', { keys: [ec] }),
    refuse(
      'n-zero-byte',
      'n with a zero byte before it',
      { ...rsa, n: Buffer.concat([Buffer.alloc(1), n]).toString('base64url') },
      'PS256',
    ),
    refuse('n-even', 'n is even', { ...rsa, n: even.toString('base64url') }, 'PS256'),
    refuse('n-empty', 'n is empty', { ...rsa, n: '' }, 'PS256'),
    refuse('n-8192-bit', 'n of 8192 bit', { ...rsa, n: Buffer.alloc(1024, 0xff).toString('base64url') }, 'PS256'),
    refuse('e-one', 'e = 1', { ...rsa, e: 'AQ' }, 'PS256'),
    refuse('e-zero-byte', 'e with a zero byte before it', { ...rsa, e: 'AAEAAQ' }, 'PS256'),
    refuse('e-huge', 'e of 2048 bit', { ...rsa, e: rsa.n }, 'PS256'),
    refuse('AKP-no-alg', 'an ML-DSA key without alg', { ...akp, alg: undefined }, 'ML-DSA-44'),
    refuse('AKP-short', 'an ML-DSA key a byte too short', { ...akp, pub: String(akp.pub).slice(4) }, 'ML-DSA-44'),
    refuse('AKP-kty', 'an ML-DSA key that says OKP', { ...akp, kty: 'OKP', crv: 'ML-DSA-44', x: akp.pub }, 'ML-DSA-44'),
    createVector('dpop_key', 'key-Ed25519-identity', 'the point for which everybody can sign, with such a signature', {
      key: 'Ed25519',
      header: { jwk: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from([1, ...Buffer.alloc(31)]).toString('base64url') } },
      signature: () => Buffer.from([1, ...Buffer.alloc(63)]),
      rule: 'RFC8725-3.4',
    }),
    createVector('dpop_key', 'key-Ed25519-zero', 'the point y = 0', {
      key: 'Ed25519',
      header: { jwk: { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') } },
      signature: () => Buffer.from([1, ...Buffer.alloc(63)]),
      rule: 'RFC8725-3.4',
    }),
  ]
}

function wrongSignatures(): readonly Vector[] {
  const refuse = (id: string, title: string, particulars: Particulars): Vector =>
    createVector('dpop_signature', `signature-${id}`, title, particulars)
  const changed = (
    id: string,
    title: string,
    signature: NonNullable<Particulars['signature']>,
    key = 'ES256',
  ): Vector => refuse(id, title, { key, signature })
  const ec = publicJwk('ES256')
  return [
    refuse('of-another-key', 'made by another key', { header: { jwk: publicJwk('ES256 of somebody else') } }),
    changed('empty', 'empty', () => Buffer.alloc(0)),
    changed('zeros', 'r = 0 and s = 0', () => Buffer.alloc(64)),
    changed('cut', '63 bytes', (signature) => signature.subarray(1)),
    changed('longer', '65 bytes', (signature) => Buffer.concat([signature, Buffer.alloc(1)])),
    changed('altered', 'one bit altered', withBit),
    refuse('DER', 'ECDSA in DER', { signs: 'DER' }),
    changed('Ed25519-altered', 'Ed25519: one bit altered', withBit, 'Ed25519'),
    changed('Ed25519-plus-order', 'Ed25519: S plus the order of the group', withOrder, 'Ed25519'),
    changed('ML-DSA-altered', 'ML-DSA-44: one bit altered', withBit, 'ML-DSA-44'),
    refuse('ML-DSA-context', 'ML-DSA-44 with a context', {
      key: 'ML-DSA-44',
      signs: 'with a context',
      rule: 'RFC9964',
    }),
    refuse('PS256-as-RS256', 'PS256 in the header, the padding of RS256', { key: 'PS256', signs: 'RS256' }),
    refuse('PS256-salt', 'PS256 with a salt of 20 bytes', {
      key: 'PS256',
      signs: 'PS256 with a salt of 20 bytes',
      rule: 'RFC7518-3.5',
    }),
    refuse('claims-exchanged', 'made for other claims', {
      proofs: (proof) => {
        const [header, claims = '', signature] = proof.split('.')
        const other = Buffer.from(claims, 'base64url').toString().replace('"iat":18', '"iat": 18')
        return [`${header}.${Buffer.from(other).toString('base64url')}.${signature}`]
      },
    }),
    refuse('off-curve', 'the key is no point of the curve', {
      header: { jwk: { ...ec, y: ec.x } },
      rule: 'RFC7518-6.2.1',
    }),
    refuse('point-zero', 'the key is (0, 0)', {
      header: { jwk: { ...ec, x: 'A'.repeat(43), y: 'A'.repeat(43) } },
      rule: 'RFC7518-6.2.1',
    }),
  ]
}

function withBit(signature: Buffer): Buffer {
  const altered = Buffer.from(signature)
  altered[40] = (altered[40] ?? 0) ^ 1
  return altered
}

/** RFC 8032 §5.1.7: S is below the order, so that nobody makes a second signature of one. */
function withOrder(signature: Buffer): Buffer {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()])
}
