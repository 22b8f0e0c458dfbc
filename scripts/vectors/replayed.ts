import { clock, createVector, tokenEndpoint, type Vector } from './proofs.ts'

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** Requests that follow another: what was used is not accepted again, and nobody else's is used up. */
export function replayedVectors(): readonly Vector[] {
  const first = createVector('accepted', 'replay-first', 'a proof is used for the first time', {
    claims: { jti: 'used-once' },
  })
  const again = (id: string, title: string, seconds: number): Vector => ({
    ...first,
    id,
    title,
    clock: clock + seconds,
    rule: 'RFC9449-11.1',
    after: first.id,
    outcome: 'dpop_replayed',
  })
  const jti = 'used-once'
  const after = first.id
  const rule = 'RFC9449-11.1'
  const ends = { rule: 'RFC9449-4.3-11', outcome: 'dpop_stale' } as const
  const negated = { ...again('replay-negated', 'its signature with -s, which is valid too', 0) }
  const [proof = ''] = first.request.headers.dpop ?? []
  return [
    first,
    withoutThumbprint(again('replay-at-once', 'the same proof at once', 0)),
    withoutThumbprint(again('replay-in-last-second', 'the same proof in the last second of its life', 60)),
    withoutThumbprint({ ...again('replay-after-its-life', 'the same proof a second later is stale', 61), ...ends }),
    withoutThumbprint({
      ...negated,
      request: { ...first.request, headers: { dpop: [negate(proof)] } },
    }),
    createVector('dpop_replayed', 'replay-spelled-otherwise', 'another proof with its jti, htu spelled otherwise', {
      claims: { jti, htu: 'HTTPS://AS.TEST:443/a/../%74oken?again' },
      after,
      rule,
    }),
    createVector('dpop_replayed', 'replay-later-iat', 'another proof with its jti, made later', {
      claims: { jti, iat: clock + 5 },
      clock: clock + 5,
      after,
      rule,
    }),
    createVector('accepted', 'replay-other-jti', 'another proof of the same key', { after, rule }),
    createVector('accepted', 'replay-other-key', 'the jti with another key: nobody uses up what is not his', {
      key: 'ES256 of somebody else',
      claims: { jti },
      after,
      rule,
    }),
    createVector('accepted', 'replay-other-address', 'the jti for another address', {
      claims: { jti },
      url: `${tokenEndpoint}/`,
      after,
      rule,
    }),
    createVector('accepted', 'replay-other-method', 'the jti for another method', {
      claims: { jti },
      method: 'GET',
      after,
      rule,
    }),
    createVector('accepted', 'replay-jti-case', 'the jti in capitals is another', {
      claims: { jti: jti.toUpperCase() },
      after,
      rule,
    }),
  ]
}

function withoutThumbprint({ thumbprint, ...vector }: Vector): Vector {
  return vector
}

/** Whoever reads an ECDSA signature can make a second one of it. */
function negate(proof: string): string {
  const [header, claims, signature = ''] = proof.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
  return `${header}.${claims}.${other.toString('base64url')}`
}
