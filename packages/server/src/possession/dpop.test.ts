import { createDpopNonces } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it } from 'vitest'
import { noncesFor } from './dpop.ts'

const now = 1_800_000_000

describe('RFC 9449 §8 who must put a nonce into proofs', () => {
  const kinds = { confidential: 'client_secret_basic', unnamed: undefined, public: 'none' } as const

  it.each([
    ['off', 'off', 'off', 'off'],
    ['required', 'required', 'required', 'required'],
    ['required-for-public', 'off', 'off', 'required'],
    ['on-skew', 'on-skew', 'on-skew', 'on-skew'],
  ] as const)('by %s', (nonces, confidential, unnamed, open) => {
    const of = (kind: keyof typeof kinds) =>
      noncesFor({ dpop_nonces: undefined, token_endpoint_auth_method: kinds[kind] }, { nonces })
    expect([of('confidential'), of('unnamed'), of('public')]).toEqual([confidential, unnamed, open])
  })

  it.each(['off', 'required', 'on-skew'] as const)('a client of which %s is said, whatever is said of all', (own) => {
    for (const nonces of ['off', 'required', 'required-for-public', 'on-skew'] as const)
      for (const token_endpoint_auth_method of Object.values(kinds))
        expect(noncesFor({ dpop_nonces: own, token_endpoint_auth_method }, { nonces })).toBe(own)
  })
})

describe('RFC 9449 §8 the nonces of a server', () => {
  const noncesOf = (byte: number) => createDpopNonces(new Uint8Array(32).fill(byte), nodePrimitives)

  it('are those of every process that has the same key', async () => {
    expect(await noncesOf(1).find(await noncesOf(1).issue(now), now)).toBe(now)
  })

  it('[RFC9449-9-2] are nothing to a server with another key', async () => {
    expect(await noncesOf(2).find(await noncesOf(1).issue(now), now)).toBeUndefined()
  })
})
