import type { X509Certificate } from 'node:crypto'
import type { CertificateKey } from '../../foundation/certificate-facts.ts'
import type { Seconds } from '../../foundation/clock.ts'
import { Refused } from '../../oauth/refusal.ts'
import { type Asn1, isUniversal, oidOf, parseAsn1, tags } from './asn1.ts'
import { readDistinguishedName, renderDistinguishedName } from './distinguished-name.ts'
import { extensionIds, type KeyUsage, keyUsages } from './extensions.ts'
import { certificateKeyOf, factsOf, x509Of } from './read.ts'
import { type CertificateStructure, extensionOf, structureOf } from './structure.ts'

/** A certificate as far as the search for a path looks: whoever connects can send it, so nothing in it is walked through. */
export interface PathLink {
  readonly der: Uint8Array
  readonly x509: X509Certificate
}

/** A certificate with everything that the judgement of a path asks of it, read once. */
export interface PathCertificate extends PathLink, CertificateStructure {
  /** The subject, for people. */
  readonly name: string
  readonly notBefore: Seconds
  readonly notAfter: Seconds
  readonly key: CertificateKey
  readonly isCa: boolean
  /** How many CAs may follow below; undefined for any number. */
  readonly pathLength: number | undefined
  /** undefined without the extension: anything. */
  readonly usages: readonly KeyUsage[] | undefined
  /** OIDs; undefined without the extension: anything. */
  readonly purposes: readonly string[] | undefined
}

const links = new WeakMap<Uint8Array, PathLink>()
const reads = new WeakMap<PathLink, PathCertificate>()

/**
 * Reads a certificate for the search. Anchors are the same objects at every judgement, and are read once.
 * @throws {@link Refused} `client_certificate_path` for anything that is not strict DER
 */
export function readPathLink(der: Uint8Array): PathLink {
  return links.get(der) ?? remembered(links, der, () => ({ der, x509: x509Of(der) }))
}

/**
 * Reads a certificate of a path that was found.
 * @throws {@link Refused} `client_certificate_path` for one that has a malformed extension
 */
export function readPathCertificate(link: PathLink): PathCertificate {
  return reads.get(link) ?? remembered(reads, link, () => read(link))
}

function remembered<Key extends object, Value>(known: WeakMap<Key, Value>, key: Key, read: () => Value): Value {
  try {
    const value = read()
    known.set(key, value)
    return value
  } catch (cause) {
    throw new Refused('client_certificate_path', { seen: 'a certificate that cannot be read', cause })
  }
}

function read({ der, x509 }: PathLink): PathCertificate {
  const structure = structureOf(der)
  const { notBefore, notAfter } = factsOf(der)
  return {
    ...structure,
    der,
    x509,
    name: renderDistinguishedName(readDistinguishedName(structure.subject) ?? []).slice(0, 100),
    notBefore,
    notAfter,
    key: certificateKeyOf(x509.publicKey),
    ...basicConstraintsOf(structure),
    usages: usagesOf(structure),
    purposes: purposesOf(structure),
  }
}

/** RFC 5280 §4.2.1.9. */
function basicConstraintsOf(structure: CertificateStructure): Pick<PathCertificate, 'isCa' | 'pathLength'> {
  const value = extensionValue(structure, extensionIds.basicConstraints, tags.sequence)
  const [flag, length, ...more] = value?.children ?? []
  if (!flag) return { isCa: false, pathLength: undefined }
  if (!isUniversal(flag, tags.boolean) || more.length > 0) throw new TypeError('basic constraints')
  const isCa = flag.content[0] !== 0
  if (!length) return { isCa, pathLength: undefined }
  const { content } = length
  if (!isUniversal(length, tags.integer) || content.length > 4 || (content[0] ?? 0xff) > 0x7f)
    throw new TypeError('path length')
  return { isCa, pathLength: content.readUIntBE(0, content.length) }
}

/** RFC 5280 §4.2.1.3. */
function usagesOf(structure: CertificateStructure): readonly KeyUsage[] | undefined {
  const bytes = extensionValue(structure, extensionIds.keyUsage, tags.bits)?.content.subarray(1)
  return bytes && keyUsages.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0)
}

/** RFC 5280 §4.2.1.12. */
function purposesOf(structure: CertificateStructure): readonly string[] | undefined {
  const list = extensionValue(structure, extensionIds.extendedKeyUsage, tags.sequence)
  return list?.children.map((child) => {
    const oid = oidOf(child)
    if (oid === undefined) throw new TypeError('extended key usage')
    return oid
  })
}

function extensionValue(structure: CertificateStructure, oid: string, tag: number): Asn1 | undefined {
  const extension = extensionOf(structure, oid)
  if (!extension) return undefined
  const value = parseAsn1(extension.value)
  if (!isUniversal(value, tag)) throw new TypeError(`extension ${oid}`)
  return value
}
