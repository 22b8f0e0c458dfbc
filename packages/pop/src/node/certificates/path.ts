import type { X509Certificate } from 'node:crypto'
import { Certificate, CertificateChainValidationEngine } from 'pkijs'
import type { Seconds } from '../../foundation/clock.ts'
import { Refused } from '../../oauth/refusal.ts'
import { isAcceptableKey, toleratedAhead } from '../../proof/certificate.ts'
import { isUniversal, oidOf, parseAsn1, tags } from './asn1.ts'
import { readDistinguishedName, renderDistinguishedName } from './distinguished-name.ts'
import { extendedKeyUsages, extensionIds, type KeyUsage, keyUsages } from './extensions.ts'
import { certificateKeyOf, factsOf, x509Of } from './read.ts'
import { revocationListOf } from './revocation.ts'
import { isAcceptableSignature } from './signature.ts'
import { type CertificateStructure, extensionOf, structureOf } from './structure.ts'

/** The evidence and the rules of one judgement. */
export interface PathOptions {
  /** DER, leaf first, as the client sent it: at most ten. */
  readonly chain: readonly Uint8Array[]
  /** DER of the CAs that may vouch: a client's own trust group. */
  readonly anchors: readonly Uint8Array[]
  /** DER of revocation lists. With it, every issuer on the path needs a current one; without it nothing is revoked. */
  readonly crls?: readonly Uint8Array[]
  readonly now: Seconds
}

/** Certificates on a path, leaf and anchor counted. */
const longestPath = 4
const longestChain = 10

/**
 * Judges whether a certificate leads to an anchor, for authenticating a client. RFC 8705 §2.1, RFC 5280 §6.
 *
 * Tries every path of at most four certificates; one that holds is enough. Signatures and issuer links are OpenSSL's
 * judgement, names, dates and policies that of pkijs, on exactly that path; the rest of RFC 5280 §6.1.4 is here.
 * Does not compare the subject; `matchesSubject` does.
 *
 * @throws {@link Refused} `client_certificate_path`, `client_certificate_purpose`, `client_certificate_revoked`,
 * `client_certificate_dates`, `client_certificate_key`, each with what was seen
 */
export async function verifyPath({ chain, anchors, crls, now }: PathOptions): Promise<void> {
  const [leaf, ...others] = chain.length > longestChain ? [] : chain.map(read)
  if (!leaf) throw new Refused('client_certificate_path', { seen: `${chain.length} certificates` })
  requireKey(leaf)
  requireLeaf(leaf)
  const trusted = anchors.map(read)
  let refused = new Refused('client_certificate_path', { seen: 'no issuer among what was sent and the trust group' })
  for (const path of pathsFrom([leaf], others, trusted)) {
    try {
      await requirePath(path, now)
      if (crls) requireNotRevoked(path, crls, now)
      return
    } catch (cause) {
      if (!(cause instanceof Refused)) throw cause
      refused = cause
    }
  }
  throw refused
}

interface Read extends CertificateStructure {
  readonly der: Uint8Array
  readonly x509: X509Certificate
  readonly certificate: Certificate
}

const reads = new WeakMap<Uint8Array, Read>()

/** Anchors are the same objects at every judgement, and are read once. */
function read(der: Uint8Array): Read {
  const known = reads.get(der)
  if (known) return known
  try {
    const one = { der, x509: x509Of(der), certificate: Certificate.fromBER(der), ...structureOf(der) }
    reads.set(der, one)
    return one
  } catch (cause) {
    throw new Refused('client_certificate_path', { seen: 'a certificate that cannot be read', cause })
  }
}

type Path = readonly [leaf: Read, ...issuers: Read[]]

/**
 * All paths to an anchor. Ours and not that of pkijs, which follows two certificates that name each other for ever.
 * No certificate comes twice, so that at most 9 * 8 paths times the anchors are looked at, and only signatures that
 * hold go further.
 */
function* pathsFrom(path: Path, others: readonly Read[], anchors: readonly Read[]): Generator<Path> {
  const last = path.at(-1)
  if (!last || path.length >= longestPath) return
  for (const anchor of anchors) {
    if (!path.some(({ der }) => equal(der, anchor.der)) && isIssuedBy(last, anchor)) yield [...path, anchor]
  }
  for (const other of others) {
    if (path.some(({ der }) => equal(der, other.der)) || !isIssuedBy(last, other)) continue
    yield* pathsFrom([...path, other], others, anchors)
  }
}

function isIssuedBy(child: Read, issuer: Read): boolean {
  try {
    return child.x509.checkIssued(issuer.x509) && child.x509.verify(issuer.x509.publicKey)
  } catch {
    return false
  }
}

async function requirePath(path: Path, now: Seconds): Promise<void> {
  for (const one of path) {
    const { notBefore, notAfter } = factsOf(one.der)
    if (now + toleratedAhead < notBefore || now > notAfter)
      throw new Refused('client_certificate_dates', { seen: subjectOf(one) })
    requireKey(one)
    requireUnderstood(one)
  }
  for (const [at, issuer] of path.entries()) if (at > 0) requireIssuer(issuer, path.slice(1, at))
  await requireValid(path, now)
}

/** RFC 5280 §6.1.4 (k) to (n), and what `x509_strict` of OpenSSL asks beyond. */
function requireIssuer(issuer: Read, below: readonly Read[]): void {
  const seen = subjectOf(issuer)
  if (issuer.version !== 3) throw new Refused('client_certificate_path', { seen: `version ${issuer.version}: ${seen}` })
  const { isCa, pathLength } = basicConstraintsOf(issuer)
  if (!isCa) throw new Refused('client_certificate_path', { seen: `no CA: ${seen}` })
  const usage = keyUsageOf(issuer)
  if (usage && !usage.includes('keyCertSign'))
    throw new Refused('client_certificate_path', { seen: `no keyCertSign: ${seen}` })
  const counted = below.filter(({ subject, issuer }) => !subject.equals(issuer)).length
  if (pathLength !== undefined && counted > pathLength)
    throw new Refused('client_certificate_path', { seen: `path length ${pathLength}: ${seen}` })
  if (extensionOf(issuer, extensionIds.nameConstraints))
    throw new Refused('client_certificate_path', { seen: `name constraints are not supported: ${seen}` })
}

/** What the leaf is for. RFC 5280 §4.2.1.3, §4.2.1.9, §4.2.1.12. */
function requireLeaf(leaf: Read): void {
  if (basicConstraintsOf(leaf).isCa) throw new Refused('client_certificate_purpose', { seen: 'a CA' })
  const usage = keyUsageOf(leaf)
  if (usage && !usage.includes('digitalSignature'))
    throw new Refused('client_certificate_purpose', { seen: `key usage ${usage.join(' ')}` })
  const purposes = purposesOf(leaf)
  if (purposes && ![clientAuth, anyExtendedKeyUsage].some((purpose) => purposes.includes(purpose)))
    throw new Refused('client_certificate_purpose', { seen: `extended key usage ${purposes.join(' ')}` })
}

const { clientAuth, anyExtendedKeyUsage } = extendedKeyUsages

function requireKey(one: Read): void {
  let key: ReturnType<typeof certificateKeyOf>
  try {
    key = certificateKeyOf(one.x509.publicKey)
  } catch (cause) {
    throw new Refused('client_certificate_key', { seen: subjectOf(one), cause })
  }
  if (!isAcceptableKey(key)) throw new Refused('client_certificate_key', { seen: `${key.type}: ${subjectOf(one)}` })
}

/** RFC 5280 §4.2: who meets a critical extension that he does not know must refuse. */
function requireUnderstood(one: Read): void {
  for (const { oid, critical } of one.extensions) {
    if (critical && !understood.includes(oid))
      throw new Refused('client_certificate_path', { seen: `critical extension ${oid}: ${subjectOf(one)}` })
  }
  if (!isAcceptableSignature(one.signatureAlgorithm))
    throw new Refused('client_certificate_path', { seen: `signature ${one.signatureAlgorithm}: ${subjectOf(one)}` })
}

const understood: readonly string[] = [
  extensionIds.basicConstraints,
  extensionIds.keyUsage,
  extensionIds.extendedKeyUsage,
  extensionIds.subjectAltName,
  extensionIds.subjectKeyIdentifier,
  extensionIds.authorityKeyIdentifier,
  extensionIds.certificatePolicies,
]

/** The judgement of pkijs, on this one path: its search for issuers is replaced. Signatures are judged before. */
async function requireValid(path: Path, now: Seconds): Promise<void> {
  const [leaf, ...issuers] = path.map(({ certificate }) => certificate)
  const anchor = issuers.pop()
  if (!leaf || !anchor) throw new Refused('client_certificate_path', { seen: 'no issuer' })
  const next = new Map([leaf, ...issuers].map((certificate, at) => [certificate, issuers[at] ?? anchor]))
  const starts = path.map(({ der }) => factsOf(der).notBefore)
  const engine = new CertificateChainValidationEngine({
    trustedCerts: [anchor],
    certs: [...issuers, leaf],
    checkDate: new Date(Math.max(now, ...starts) * 1000),
    findIssuer: async (certificate) => [next.get(certificate) ?? anchor],
  })
  const { result, resultMessage } = await engine.verify()
  if (!result) throw new Refused('client_certificate_path', { seen: resultMessage })
}

/** RFC 5280 §6.3, for complete lists of the issuer itself. In doubt a certificate counts as revoked. */
function requireNotRevoked(path: Path, crls: readonly Uint8Array[], now: Seconds): void {
  const lists = crls.map(revocationListOf)
  for (const [at, issuer] of path.entries()) {
    const subject = path[at - 1]
    if (!subject) continue
    const usage = keyUsageOf(issuer)
    const current = lists.filter(
      (list) =>
        list.issuer.equals(issuer.subject) &&
        list.thisUpdate <= now + toleratedAhead &&
        now <= list.nextUpdate &&
        (!usage || usage.includes('cRLSign')) &&
        list.isSignedBy(issuer.x509.publicKey),
    )
    if (current.length === 0)
      throw new Refused('client_certificate_revoked', { seen: `no current list of ${subjectOf(issuer)}` })
    if (current.some(({ revoked }) => revoked.has(subject.serial)))
      throw new Refused('client_certificate_revoked', { seen: `serial ${subject.serial}` })
  }
}

function basicConstraintsOf(one: Read): { readonly isCa: boolean; readonly pathLength: number | undefined } {
  const extension = extensionOf(one, extensionIds.basicConstraints)
  if (!extension) return { isCa: false, pathLength: undefined }
  const sequence = parseAsn1(extension.value)
  const [first, second] = sequence?.children ?? []
  if (!isUniversal(sequence, tags.sequence)) throw malformed(one, 'basic constraints')
  if (!isUniversal(first, tags.boolean) || first.content[0] === 0) return { isCa: false, pathLength: undefined }
  if (!second) return { isCa: true, pathLength: undefined }
  if (!isUniversal(second, tags.integer) || second.content.length > 4) throw malformed(one, 'path length')
  return { isCa: true, pathLength: second.content.readIntBE(0, second.content.length) }
}

function keyUsageOf(one: Read): readonly KeyUsage[] | undefined {
  const extension = extensionOf(one, extensionIds.keyUsage)
  if (!extension) return undefined
  const bits = parseAsn1(extension.value)
  if (!isUniversal(bits, tags.bits)) throw malformed(one, 'key usage')
  const bytes = bits.content.subarray(1)
  return keyUsages.filter((_, bit) => ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0)
}

function purposesOf(one: Read): readonly string[] | undefined {
  const extension = extensionOf(one, extensionIds.extendedKeyUsage)
  if (!extension) return undefined
  const list = parseAsn1(extension.value)
  if (!isUniversal(list, tags.sequence)) throw malformed(one, 'extended key usage')
  return list.children.map((child) => oidOf(child) ?? '')
}

function malformed(one: Read, what: string): Refused {
  return new Refused('client_certificate_path', { seen: `malformed ${what}: ${subjectOf(one)}` })
}

function subjectOf({ subject }: Read): string {
  return renderDistinguishedName(readDistinguishedName(subject) ?? []).slice(0, 100)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
