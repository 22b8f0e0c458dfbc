import { describe, expect, it, onTestFinished } from 'vitest'
import type { ReferenceToken } from '../../model/reference-token.ts'
import type { SigningKey } from '../../model/signing-key.ts'
import { openTemporaryStore } from '../temporary-store.ts'

const expires = 1000
const fresh: SigningKey = {
  kid: 'c',
  algorithm: 'ES256',
  publicJwk: '{}',
  sealed: 'v1.',
  created: 1,
  stage: 'next',
}

function token(hash: string): ReferenceToken {
  return { hash, jti: hash, subject: 's', clientId: 'c', scope: '', audience: [], issued: 1, expires }
}

describe('purge', () => {
  it('keeps a revocation in the last second of what it revokes, and deletes it after', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.revokeJwt({ jti: 'id', expires })
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await store.isJwtRevoked('id')).toBe(true)
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(1)
    expect(await store.isJwtRevoked('id')).toBe(false)
  })

  it('keeps a reference token in its last second, and deletes it after', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.issue({ uses: [], referenceToken: token('hash') })
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await store.findReferenceToken('hash')).toBeDefined()
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(1)
    expect(await store.findReferenceToken('hash')).toBeUndefined()
  })

  it('keeps a use in its last second, and deletes it after', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const uses = [{ kind: 'assertion' as const, key: 'first', expires }]
    await store.issue({ uses })
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await store.issue({ uses })).toMatchObject({ issued: false })
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(1)
    expect(await store.issue({ uses })).toEqual({ issued: true })
  })

  it('keeps a retired key in its last second, and deletes it after; others stay', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([
      { ...fresh, kid: 'a', stage: 'active', since: 1 },
      { ...fresh, kid: 'b' },
    ])
    await store.rotateSigningKey({ algorithm: 'ES256', now: 10, expires, fresh })
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
    expect(await store.purge({ before: expires + 1, limit: 10 })).toBe(1)
    expect((await store.listSigningKeys()).map(({ kid }) => kid)).toEqual(['b', 'c'])
  })

  it('deletes at most the limit of each kind, the oldest first', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    for (let age = 1; age <= 5; age++) {
      await store.revokeJwt({ jti: `${age}`, expires: expires - age })
      await store.issue({ uses: [{ kind: 'assertion', key: `${age}`, expires: expires - age }] })
    }
    expect(await store.purge({ before: expires, limit: 2 })).toBe(4)
    const left = await Promise.all(['5', '4', '3', '2', '1'].map((jti) => store.isJwtRevoked(jti)))
    expect(left).toEqual([false, false, true, true, true])
    expect(await store.purge({ before: expires, limit: 10 })).toBe(6)
    expect(await store.purge({ before: expires, limit: 10 })).toBe(0)
  })
})
