import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSealing } from '../../administration/keys/sealing.ts'
import { ensureServerSecret } from '../../administration/keys/server-secret.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

const key = {
  kid: 'a',
  algorithm: 'ES256',
  publicJwk: '{}',
  sealed: 'old',
  created: 1,
  stage: 'next',
} as const

describe('the secret of the server', () => {
  it('is what came first', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    expect(await store.ensureSecret({ sealed: 'first' })).toBe('first')
    expect(await store.ensureSecret({ sealed: 'second' })).toBe('first')
  })

  it('is one for 64 starts at once', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const { random } = nodePrimitives
    const sealing = createSealing([new Uint8Array(32)], random)
    const starts = Array.from({ length: 64 }, () => ensureServerSecret({ store, sealing, random }))
    const secrets = (await Promise.all(starts)).map((secret) => Buffer.from(secret).toString('hex'))
    expect(new Set(secrets).size).toBe(1)
    expect(secrets[0]).toHaveLength(64)
  })
})

describe('sealing again', () => {
  it('replaces what is still as it was read', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([key])
    await store.ensureSecret({ sealed: 'old' })
    const change = { keys: [{ kid: 'a', from: 'old', sealed: 'new' }], secret: { from: 'old', sealed: 'new' } }
    expect(await store.reseal(change)).toBe(2)
    expect(await store.listSigningKeys()).toEqual([{ ...key, sealed: 'new' }])
    expect(await store.ensureSecret({ sealed: 'other' })).toBe('new')
  })

  it.each([
    ['is sealed otherwise by now', { kid: 'a', from: 'older', sealed: 'new' }],
    ['is gone', { kid: 'b', from: 'old', sealed: 'new' }],
  ])('leaves a key alone that %s', async (_, stale) => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([key])
    expect(await store.reseal({ keys: [stale] })).toBe(0)
    expect(await store.listSigningKeys()).toEqual([key])
  })

  it('is no entry of the audit log when it replaces nothing', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await store.ensureSigningKeys([key])
    const audit = { event: 'keys_resealed', time: 1, node: 'node', key: new Uint8Array(32) } as const
    const reseal = (from: string) =>
      store.audited({ verb: 'reseal', data: { keys: [{ kid: 'a', from, sealed: 'new' }] }, audit })
    expect(await reseal('older')).toBe(0)
    expect(await store.listAudit({ node: 'node', after: 0, limit: 10 })).toEqual([])
    expect(await reseal('old')).toBe(1)
    expect(await store.listAudit({ node: 'node', after: 0, limit: 10 })).toHaveLength(1)
  })
})
