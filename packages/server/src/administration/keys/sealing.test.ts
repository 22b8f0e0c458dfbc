import { createCipheriv, hkdfSync } from 'node:crypto'
import { decodeBase64url, encodeBase64url } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it } from 'vitest'
import { createSealing, type Label } from './sealing.ts'

const { random } = nodePrimitives
const [one, two, three] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte)) as [Uint8Array, Uint8Array, Uint8Array]
const label: Label = { kind: 'signing key', id: 'kid' }
const bytes = new TextEncoder().encode('what is secret')

describe('sealing under several encryption keys', () => {
  it('opens what it has sealed, under the first', () => {
    const opened = createSealing([one, two], random).open(label, createSealing([one, two], random).seal(label, bytes))
    expect(opened).toMatchObject({ encryptionKey: one, isCurrent: true })
    expect(Buffer.from(opened?.bytes ?? []).toString()).toBe('what is secret')
  })

  it('opens what was sealed under another of them, and says so', () => {
    const sealed = createSealing([two], random).seal(label, bytes)
    expect(createSealing([one, three, two], random).open(label, sealed)).toMatchObject({
      encryptionKey: two,
      isCurrent: false,
    })
  })

  it('opens nothing of a key that it does not have', () => {
    const sealed = createSealing([two], random).seal(label, bytes)
    expect(createSealing([one, three], random).open(label, sealed)).toBeUndefined()
  })

  it('seals the same twice so that nobody sees it', () => {
    const sealing = createSealing([one], random)
    expect(sealing.seal(label, bytes)).not.toBe(sealing.seal(label, bytes))
  })

  const sealing = createSealing([one], random)
  const sealed = sealing.seal(label, bytes)
  it.each([
    ['under another name', { ...label, id: 'other' }, sealed],
    ['as something else', { ...label, kind: 'server secret' } as const, sealed],
    ['of an unknown version', label, sealed.replace('v2.', 'v3.')],
    ['taken for the version before', label, sealed.replace('v2.', 'v1.')],
    ['with a flipped bit in its nonce', label, flip(sealed, 0)],
    ['with a flipped bit', label, flip(sealed, 14)],
    ['with a flipped bit in its tag', label, flip(sealed, -1)],
    ['with nothing but a nonce', label, `v2.${encodeBase64url(new Uint8Array(12))}`],
    ['with a tag cut short', label, sealed.slice(0, 30)],
    ['empty', label, ''],
    ['in another encoding', label, `${sealed}=`],
  ])('opens nothing %s', (_, as, text) => {
    expect(sealing.open(as, text)).toBeUndefined()
  })

  it('opens signing keys that were sealed before there were several keys', () => {
    const lock = Buffer.from(hkdfSync('sha256', two, '', 'holdfast signing key v1 kid', 44))
    const cipher = createCipheriv('aes-256-gcm', lock.subarray(0, 32), lock.subarray(32))
    const old = `v1.${Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]).toString('base64url')}`
    const opened = createSealing([one, two], random).open(label, old)
    expect(Buffer.from(opened?.bytes ?? []).toString()).toBe('what is secret')
    expect(createSealing([one, two], random).open({ ...label, id: 'other' }, old)).toBeUndefined()
  })
})

function flip(text: string, at: number): string {
  const body = decodeBase64url(text.slice(3)) ?? new Uint8Array()
  const index = at < 0 ? body.length + at : at
  body[index] = (body[index] ?? 0) ^ 1
  return `v2.${encodeBase64url(body)}`
}
