import { createPrivateKey } from 'node:crypto'
import { fromBER, Sequence } from 'asn1js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Refused } from '../../oauth/refusal.ts'
import { parseAsn1 } from './asn1.ts'
import type { RawExtension } from './extensions.ts'
import {
  type CertificateOptions,
  type CertificatePair,
  createCertificateAuthority,
  issueCertificate,
  signedStructure,
} from './make.ts'
import { type PathOptions, verifyPath } from './path.ts'
import { derOf, factsOf } from './read.ts'
import { issueRevocationList, parseCrls } from './revocation.ts'
import { signerOf } from './signature.ts'
import { formatDistinguishedName, matchesSubject } from './subject.ts'

const now = Date.UTC(2026, 5, 1) / 1000
const context = { now: () => now }
const ca = (name: string, options: Partial<CertificateOptions> = {}) =>
  createCertificateAuthority({ name, keyType: 'P-256', ...options }, context)
const client = (issuer: CertificatePair, options: Partial<CertificateOptions> = {}) =>
  issueCertificate({ subject: 'client', keyType: 'P-256', issuer, ...options }, context)
const ders = (...pairs: CertificatePair[]) => pairs.map(({ certificate }) => derOf(certificate))

const root = await ca('Root')
const middle = await ca('Middle', { issuer: root })
const leaf = await client(middle)
const chain = ders(leaf, middle)
const anchors = ders(root)

describe('RFC 8705 §2.1 a path to a trust group', () => {
  it('[RFC8705-2.1-1] is found, more than once with the same bytes', async () => {
    expect(await verdict({ chain, anchors, now })).toBe('accepted')
    expect(await verdict({ chain, anchors, now })).toBe('accepted')
  })

  it.each(['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const)('is found over %s signatures', async (keyType) => {
    const top = await ca('Root', { keyType })
    const low = await ca('Middle', { keyType, issuer: top })
    const last = await client(low, { keyType })
    expect(await verdict({ chain: ders(last, low), anchors: ders(top), now })).toBe('accepted')
    const thief = await ca('Middle', { keyType })
    expect(await verdict({ chain: ders(await client(thief), low), anchors: ders(top), now })).toBe(
      'client_certificate_path',
    )
  })

  it('is none without a certificate, without an anchor, or to the anchor of somebody else', async () => {
    expect(await verdict({ chain: [], anchors, now })).toBe('client_certificate_path')
    expect(await verdict({ chain, anchors: [], now })).toBe('client_certificate_path')
    expect(await verdict({ chain, anchors: ders(await ca('Other')), now })).toBe('client_certificate_path')
  })

  it('is the path of the leaf, whatever else was sent', async () => {
    const stranger = await client(await ca('Other'))
    expect(await verdict({ chain: [...ders(stranger), ...chain], anchors, now })).toBe('client_certificate_path')
  })

  it('ends the search where CAs name each other', async () => {
    const first = await ca('First')
    const second = await ca('Second', { issuer: first })
    const back = await ca('First', { issuer: second, key: first.key })
    expect(await verdict({ chain: ders(await client(back), back, second), anchors, now })).toBe(
      'client_certificate_path',
    )
  })

  it('gives up on certificates that all name each other', async () => {
    const low = await ca('Low', { issuer: middle })
    const same = await Promise.all(Array.from({ length: 9 }, () => ca('Low', { issuer: low, key: low.key })))
    const judged = verifyPath({ chain: ders(await client(low), ...same), anchors, now })
    await expect(judged).rejects.toMatchObject({ seen: expect.stringContaining('too many issuers') })
  })

  it('[RFC8705-7.5] looks into nothing that no CA has signed, however large it is', async () => {
    const malformed = [{ oid: '2.5.29.15', value: Buffer.from('0400', 'hex') }]
    const stranger = await issueCertificate({ subject: 'client', keyType: 'P-256', extensions: malformed }, context)
    expect(await verdict({ chain: [...chain, ...ders(stranger)], anchors, now })).toBe('accepted')
    const judged = verifyPath({ chain: [...ders(stranger), ...chain], anchors, now })
    await expect(judged).rejects.toMatchObject({ reason: 'client_certificate_path', seen: 'no issuer' })
  })

  it('takes ten certificates, and refuses eleven', async () => {
    const others = await Promise.all(Array.from({ length: 9 }, (_, at) => ca(`Other ${at}`)))
    const ten = [...chain, ...ders(...others.slice(1))]
    expect(await verdict({ chain: ten, anchors, now })).toBe('accepted')
    expect(await verdict({ chain: [...ten, ...ders(...others.slice(0, 1))], anchors, now })).toBe(
      'client_certificate_path',
    )
  })

  it('takes four certificates, and refuses five', async () => {
    const low = await ca('Low', { issuer: middle })
    const lowest = await ca('Lowest', { issuer: low })
    expect(await verdict({ chain: ders(await client(low), low, middle), anchors, now })).toBe('accepted')
    const five = ders(await client(lowest), lowest, low, middle)
    expect(await verdict({ chain: five, anchors, now })).toBe('client_certificate_path')
    expect(await verdict({ chain: five, anchors: ders(middle), now })).toBe('accepted')
  })

  it('is none over an issuer of version 2 that has the extensions of version 3', async () => {
    expect(await verdict({ chain: [...ders(leaf), signedAgain(3, root)], anchors, now })).toBe('accepted')
    expect(await verdict({ chain: [...ders(leaf), signedAgain(2, root)], anchors, now })).toBe(
      'client_certificate_path',
    )
  })

  it('says what was seen', async () => {
    const judged = verifyPath({ chain, anchors, now: now + 11 * 86_400 })
    await expect(judged).rejects.toMatchObject({ reason: 'client_certificate_dates', seen: 'CN=client' })
  })

  it.each([
    ['no certificate', Buffer.from('x')],
    ['bytes behind it', Buffer.concat([...ders(leaf), Buffer.from([0])])],
  ])('is none for %s', async (_, der) => {
    expect(await verdict({ chain: [der, ...ders(middle)], anchors, now })).toBe('client_certificate_path')
  })
})

describe('RFC 5280 §6.3 revocation lists', () => {
  const listOf = (issuer: CertificatePair, revoked: CertificatePair[] = [], extensions: RawExtension[] = []) =>
    issueRevocationList({
      extensions,
      issuer,
      revoked: revoked.map(({ certificate }) => certificate),
      thisUpdate: now - 60,
      nextUpdate: now + 60,
    })

  it('refuse whom they name, and nobody else', async () => {
    const other = await client(middle)
    const crls = parseCrls(listOf(root) + listOf(middle, [other]))
    expect(await verdict({ chain, anchors, crls, now })).toBe('accepted')
    expect(await verdict({ chain: ders(other, middle), anchors, crls, now })).toBe('client_certificate_revoked')
  })

  it('refuse everybody when there is none', async () => {
    expect(await verdict({ chain, anchors, crls: [], now })).toBe('client_certificate_revoked')
  })

  it('take the word of a newer list beside an older one', async () => {
    const crls = parseCrls(listOf(root) + listOf(middle) + listOf(middle, [leaf]))
    expect(await verdict({ chain, anchors, crls, now })).toBe('client_certificate_revoked')
  })

  it.each([
    ['delta', '2.5.29.27', '020101'],
    ['partial or indirect', '2.5.29.28', '30038401ff'],
  ])('are refused when they are %s', async (_, oid, value) => {
    const odd = listOf(middle, [], [{ oid, critical: true, value: Buffer.from(value, 'hex') }])
    expect(() => parseCrls(odd)).toThrow(expect.objectContaining({ reason: 'client_certificate_revoked' }))
    const plain = listOf(middle, [], [{ oid, value: Buffer.from(value, 'hex') }])
    expect(await verdict({ chain, anchors, crls: parseCrls(listOf(root) + plain), now })).toBe('accepted')
  })

  it.each([
    ['an empty text', ''],
    ['a certificate', root.certificate],
    ['text before it', `x\n${listOf(root)}`],
    ['a list that is cut', listOf(root).replace(/\n[^\n]+\n-----END/, '\n-----END')],
  ])('are not read from %s', (_, text) => {
    expect(() => parseCrls(text)).toThrow(expect.objectContaining({ reason: 'client_certificate_revoked' }))
  })
})

describe('bytes that somebody changed', () => {
  it('are judged or refused, and nothing else happens', async () => {
    const [original = Buffer.alloc(0), below = Buffer.alloc(0)] = chain
    const change = fc.tuple(fc.nat(original.length - 1), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const der = Buffer.from(original)
        for (const [at, by] of changes) der[at] = (der[at] ?? 0) ^ by
        fc.pre(!der.equals(original))
        expect(await verdict({ chain: [der, below], anchors, now })).not.toBe('accepted')
        for (const kind of ['tls_client_auth_subject_dn', 'tls_client_auth_san_dns'] as const)
          settled(() => matchesSubject(der, { kind, value: 'CN=client' }))
        settled(() => formatDistinguishedName(der))
        settled(() => factsOf(der))
      }),
      { numRuns: 300 },
    )
  })

  function settled(act: () => unknown): void {
    try {
      act()
    } catch (error) {
      expect(error).toBeInstanceOf(Refused)
    }
  }
})

/** The CA between with another version in it, signed by its issuer. */
function signedAgain(version: number, { key }: CertificatePair): Buffer {
  const tbs = Buffer.from(parseAsn1(derOf(middle.certificate))?.children[0]?.whole ?? [])
  tbs[tbs.indexOf(Buffer.from('a003020102', 'hex')) + 4] = version - 1
  const { identifier, sign } = signerOf(createPrivateKey(key))
  const { result } = fromBER(tbs)
  if (!(result instanceof Sequence)) throw new Error('no certificate')
  return signedStructure(result, identifier, sign)
}

async function verdict(options: PathOptions): Promise<string> {
  try {
    await verifyPath(options)
    return 'accepted'
  } catch (error) {
    if (error instanceof Refused) return error.reason
    throw error
  }
}
