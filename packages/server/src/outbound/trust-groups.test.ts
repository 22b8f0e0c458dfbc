import { createHook } from 'node:async_hooks'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type CertificatePair,
  createCertificateAuthority,
  derOf,
  issueCertificate,
  issueRevocationList,
} from '@holdfast/pop/certificates'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { createTrust } from './trust-groups.ts'

const start = Date.UTC(2026, 5, 1) / 1000
const directory = mkdtempSync(join(tmpdir(), 'holdfast-trust-'))
const crl = join(directory, 'lists.pem')
const root = await createCertificateAuthority({ name: 'Root' }, { now: () => start })
const dates = { notBefore: start - 600, notAfter: start + 30 }
const middle = await createCertificateAuthority({ name: 'Middle', issuer: root, ...dates })
let now: number

beforeEach(() => {
  now = start
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('the verdict on the chain of a connection', () => {
  it.each(['accepted', 'refused'])('serves again while it holds: %s', async (outcome) => {
    const stranger = await createCertificateAuthority({ name: 'Stranger' })
    const chain = await chainOf(outcome === 'accepted' ? root : stranger)
    const { verifyPath } = createTrust({ main: { ca: root.certificate } }, () => now)
    const first = await settled(verifyPath('main', chain, now))
    expect(first).toEqual(outcome === 'accepted' ? undefined : expect.objectContaining({ name: 'Refused' }))
    expect(await settled(verifyPath('main', chain, now + 59))).toBe(first)
  })

  it('is of one group', async () => {
    const groups = { main: { ca: root.certificate }, other: { ca: middle.certificate } }
    const { verifyPath } = createTrust(groups, () => now)
    const chain = await chainOf(root)
    await verifyPath('main', chain, now)
    await expect(verifyPath('other', chain, now)).rejects.toMatchObject({ reason: 'client_certificate_path' })
    await verifyPath('main', chain, now)
  })

  it('ends with the first certificate of the path', async () => {
    const { verifyPath } = createTrust({ main: { ca: root.certificate } }, () => now)
    const chain = await chainOf(middle, middle)
    await verifyPath('main', chain, now)
    await verifyPath('main', chain, start + 30)
    await expect(verifyPath('main', chain, start + 31)).rejects.toMatchObject({ reason: 'client_certificate_dates' })
  })

  it('ends with the revocation lists', async () => {
    publish(start, { nextUpdate: start + 30 })
    const { verifyPath } = createTrust({ main: { ca: root.certificate, crl } }, () => now)
    const chain = await chainOf(root)
    await verifyPath('main', chain, now)
    await verifyPath('main', chain, start + 30)
    await expect(verifyPath('main', chain, start + 31)).rejects.toMatchObject({ reason: 'client_certificate_revoked' })
  })
})

describe('a file of revocation lists', () => {
  it('is read again when its content changes and its time does not', async () => {
    publish(start, {})
    const { verifyPath } = createTrust({ main: { ca: root.certificate, crl } }, () => now)
    const leaf = await leafOf(root)
    const chain = [leaf].map(base64)
    await verifyPath('main', chain, now)
    publish(start, { revoked: [leaf.certificate] })
    now += 1
    await expect(verifyPath('main', chain, now)).rejects.toMatchObject({ reason: 'client_certificate_revoked' })
  })

  it('is read once for many who ask at the same time', async () => {
    publish(start, {})
    const chain = await chainOf(root)
    const filesTouched = async (times: number) => {
      const { verifyPath } = createTrust({ main: { ca: root.certificate, crl } }, () => now)
      let touched = 0
      const hook = createHook({
        init(_, type) {
          if (type === 'FSREQPROMISE') touched++
        },
      }).enable()
      await Promise.all(Array.from({ length: times }, () => verifyPath('main', chain, now)))
      hook.disable()
      return touched
    }
    const once = await filesTouched(1)
    expect(once).toBeGreaterThan(0)
    expect(await filesTouched(100)).toBe(once)
  })

  it('is read again although the clock was put back', async () => {
    publish(start, {})
    const { verifyPath } = createTrust({ main: { ca: root.certificate, crl } }, () => now)
    const leaf = await leafOf(root)
    const chain = [leaf].map(base64)
    await verifyPath('main', chain, now)
    publish(start + 1, { revoked: [leaf.certificate] })
    now -= 3600
    await expect(verifyPath('main', chain, start)).rejects.toMatchObject({ reason: 'client_certificate_revoked' })
  })
})

function publish(changed: number, list: { readonly nextUpdate?: number; readonly revoked?: readonly string[] }): void {
  const usual = { issuer: root, revoked: [], thisUpdate: start - 60, nextUpdate: start + 600 }
  writeFileSync(crl, issueRevocationList({ ...usual, ...list }))
  utimesSync(crl, changed, changed)
}

async function chainOf(issuer: CertificatePair, ...others: readonly CertificatePair[]): Promise<readonly string[]> {
  return [await leafOf(issuer), ...others].map(base64)
}

function leafOf(issuer: CertificatePair): Promise<CertificatePair> {
  return issueCertificate({ subject: 'client', issuer, keyType: 'P-256' }, { now: () => start })
}

function base64({ certificate }: CertificatePair): string {
  return derOf(certificate).toString('base64')
}

function settled(judgement: Promise<void>): Promise<unknown> {
  return judgement.catch((cause: unknown) => cause)
}
