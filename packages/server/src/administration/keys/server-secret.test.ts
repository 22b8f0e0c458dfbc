import { createHmac, hkdfSync } from 'node:crypto'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openTemporaryStore } from '../../store/temporary-store.fixture.ts'
import { createPairwise } from '../../tokens/subject.ts'
import { keyContext } from './key-context.fixture.ts'
import { deriveKey, ensureServerSecret } from './server-secret.ts'
import { ensureSigningKeys } from './signing-keys.ts'

const { random } = nodePrimitives
const now = () => 1000

describe('the secret of a server', () => {
  it('is made once, at random, and stays', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const { sealing } = keyContext(store, now)
    const secret = await ensureServerSecret({ store, sealing, random })
    expect(secret).toHaveLength(32)
    expect(Buffer.from(secret)).not.toEqual(Buffer.alloc(32, 7))
    expect(await ensureServerSecret({ store, sealing, random })).toEqual(secret)
    await ensureSigningKeys(store, ['ES256'], sealing, now())
    expect(await ensureServerSecret({ store, sealing, random })).toEqual(secret)
  })

  it('differs from database to database, whatever the encryption key', async () => {
    const secrets = await Promise.all(
      [1, 2].map(async () => {
        const { store } = await openTemporaryStore(onTestFinished)
        return await ensureServerSecret({ store, sealing: keyContext(store, now).sealing, random })
      }),
    )
    expect(secrets[0]).not.toEqual(secrets[1])
  })

  it('is the encryption key itself where signing keys are older than it: pairwise subjects stay what they were', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const before = keyContext(store, now, 7)
    await ensureSigningKeys(store, ['ES256'], before.sealing, now())
    // The key is replaced by the same start that makes the secret.
    const { sealing } = keyContext(store, now, 8, 7)
    const secret = await ensureServerSecret({ store, sealing, random })
    expect(Buffer.from(secret)).toEqual(Buffer.alloc(32, 7))
    const old = Buffer.from(hkdfSync('sha256', new Uint8Array(32).fill(7), '', 'holdfast pairwise subjects', 32))
    const subject = createHmac('sha256', old)
      .update(JSON.stringify(['sector', 'user:alice']))
      .digest('base64url')
    expect(createPairwise(deriveKey(secret, 'pairwise subjects'))('sector', 'user:alice')).toBe(`pair:${subject}`)
  })

  it('is refused to a server that cannot open it', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    await ensureServerSecret({ store, sealing: keyContext(store, now, 7).sealing, random })
    const opened = ensureServerSecret({ store, sealing: keyContext(store, now, 8).sealing, random })
    await expect(opened).rejects.toMatchObject({ name: 'SettingsError' })
    const right = ensureServerSecret({ store, sealing: keyContext(store, now, 8, 7).sealing, random })
    await expect(right).resolves.toHaveLength(32)
  })

  it('gives each purpose a key of its own', () => {
    const secret = random(32)
    const keys = (['DPoP nonces', 'pairwise subjects', 'audit log'] as const).map((each) =>
      Buffer.from(deriveKey(secret, each)).toString('hex'),
    )
    expect(new Set([...keys, Buffer.from(secret).toString('hex')]).size).toBe(4)
  })
})
