import type { Certificate } from 'pkijs'
import type { Seconds } from '../../foundation/clock.ts'
import { Refused } from '../../oauth/refusal.ts'
import { isAcceptableKey, toleratedAhead } from '../../proof/certificate.ts'
import { extendedKeyUsages, extensionIds } from './extensions.ts'
import { type PathCertificate, type PathLink, readPathCertificate, readPathLink } from './path-certificate.ts'
import { requireNotRevoked } from './revocation.ts'
import { isAcceptableSignature } from './signature.ts'

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
 * Tries every path of at most four certificates; one that holds is enough. Signatures come first, so that only what a
 * CA has signed is looked into: a stranger's certificate may be as large as TLS lets it be. They and issuer links are OpenSSL's
 * judgement, names, dates and policies that of pkijs, on exactly that path; the rest of RFC 5280 §6.1.4 is here.
 * Does not compare the subject; `matchesSubject` does.
 *
 * @returns the last moment at which the same evidence would be judged so
 * @throws {@link Refused} `client_certificate_path`, `client_certificate_purpose`, `client_certificate_revoked`,
 * `client_certificate_dates`, `client_certificate_key`, each with what was seen
 */
export async function verifyPath({ chain, anchors, crls, now }: PathOptions): Promise<Seconds> {
  const [leaf, ...others] = chain.length > longestChain ? [] : chain.map(readPathLink)
  if (!leaf) throw new Refused('client_certificate_path', { seen: `${chain.length} certificates` })
  let refused = new Refused('client_certificate_path', { seen: 'no issuer' })
  for (const [first, ...rest] of pathsFrom([leaf], { others, anchors: anchors.map(readPathLink), left: 30 })) {
    try {
      const path: Path = [readPathCertificate(first), ...rest.map(readPathCertificate)]
      requireLeaf(path[0])
      await requirePath(path, now)
      const listed = crls ? requireNotRevoked(path, crls, now) : Number.POSITIVE_INFINITY
      return Math.min(listed, ...path.map(({ notAfter }) => notAfter))
    } catch (cause) {
      if (!(cause instanceof Refused)) throw cause
      refused = cause
    }
  }
  throw refused
}

type Path = readonly [leaf: PathCertificate, ...issuers: PathCertificate[]]

type LinkPath = readonly [leaf: PathLink, ...issuers: PathLink[]]

/** What a search for paths looks among, and what it may still cost. */
interface Search {
  readonly others: readonly PathLink[]
  readonly anchors: readonly PathLink[]
  /** Signatures: whoever connects decides how many certificates name each other, and P-521 takes a millisecond. */
  left: number
}

/**
 * All paths to an anchor. Ours and not that of pkijs, which follows two certificates that name each other for ever.
 * No certificate comes twice, and only signatures that hold go further.
 */
function* pathsFrom(path: LinkPath, search: Search): Generator<LinkPath> {
  const last = path.at(-1)
  const isNew = ({ x509 }: PathLink) => !path.some((known) => known.x509.raw.equals(x509.raw))
  if (!last) return
  for (const anchor of search.anchors) if (isNew(anchor) && isIssuedBy(last, anchor, search)) yield [...path, anchor]
  if (path.length + 2 > longestPath) return
  for (const other of search.others) {
    if (isNew(other) && isIssuedBy(last, other, search)) yield* pathsFrom([...path, other], search)
  }
}

function isIssuedBy(child: PathLink, issuer: PathLink, search: Search): boolean {
  if (!child.x509.checkIssued(issuer.x509)) return false
  if (search.left-- <= 0) throw new Refused('client_certificate_path', { seen: 'too many issuers of one name' })
  try {
    return child.x509.verify(issuer.x509.publicKey)
  } catch {
    return false
  }
}

async function requirePath(path: Path, now: Seconds): Promise<void> {
  for (const [at, one] of path.entries()) {
    const { notBefore, notAfter, name, key, signatureAlgorithm, extensions } = one
    if (now + toleratedAhead < notBefore || now > notAfter)
      throw new Refused('client_certificate_dates', { seen: name })
    if (!isAcceptableKey(key)) throw new Refused('client_certificate_key', { seen: `${key.type}: ${name}` })
    // Nobody relies on the signature of an anchor: old ones have signed themselves with SHA-1.
    const isAnchor = at === path.length - 1
    if (!isAnchor && !isAcceptableSignature(signatureAlgorithm)) throw unfit(one, `signature ${signatureAlgorithm}`)
    const unknown = extensions.find(({ oid, critical }) => critical && !understood.includes(oid))
    if (unknown) throw unfit(one, `critical extension ${unknown.oid}`)
    if (at > 0) requireIssuer(one, path.slice(1, at))
  }
  await requireValid(path, now)
}

/** RFC 5280 §4.2: who meets a critical extension that he does not know must refuse. */
const understood: readonly string[] = [
  extensionIds.basicConstraints,
  extensionIds.keyUsage,
  extensionIds.extendedKeyUsage,
  extensionIds.subjectAltName,
  extensionIds.certificatePolicies,
]

/**
 * RFC 5280 §6.1.4 (k) to (n). Name constraints refuse even where they are not critical: pkijs lets a CA widen those
 * of the CA above it.
 */
function requireIssuer(issuer: PathCertificate, below: readonly PathCertificate[]): void {
  const { version, isCa, usages, pathLength, extensions } = issuer
  if (version !== 3) throw unfit(issuer, `version ${version}`)
  if (!isCa) throw unfit(issuer, 'no CA')
  if (usages && !usages.includes('keyCertSign')) throw unfit(issuer, 'no keyCertSign')
  requirePurpose(issuer)
  const counted = below.filter((one) => !one.subject.equals(one.issuer)).length
  if (pathLength !== undefined && counted > pathLength) throw unfit(issuer, `path length ${pathLength}`)
  if (extensions.some(({ oid }) => oid === extensionIds.nameConstraints)) throw unfit(issuer, 'name constraints')
}

/** What the leaf is for. RFC 5280 §4.2.1.3, §4.2.1.9. */
function requireLeaf(leaf: PathCertificate): void {
  const { isCa, usages } = leaf
  if (isCa) throw new Refused('client_certificate_purpose', { seen: 'a CA' })
  if (usages && !usages.includes('digitalSignature'))
    throw new Refused('client_certificate_purpose', { seen: `key usage ${usages.join(' ')}` })
  requirePurpose(leaf)
}

/** RFC 5280 §4.2.1.12. Purposes of a CA narrow what it may issue, as everybody reads them. */
function requirePurpose({ purposes, name }: PathCertificate): void {
  const { clientAuth, anyExtendedKeyUsage } = extendedKeyUsages
  if (purposes && !purposes.includes(clientAuth) && !purposes.includes(anyExtendedKeyUsage))
    throw new Refused('client_certificate_purpose', { seen: `extended key usage ${purposes.join(' ')}: ${name}` })
}

/**
 * The judgement of pkijs on this one path: its search for issuers is replaced, and so it meets no signature, of which
 * it knows neither Ed25519 nor ML-DSA. Loaded here, since it takes longer than all the rest.
 */
async function requireValid(path: Path, now: Seconds): Promise<void> {
  const pkijs = await import('pkijs')
  const [leaf, ...issuers] = path.map((one) => parsed(one, pkijs.Certificate))
  const anchor = issuers.pop()
  if (!leaf || !anchor) throw new Refused('client_certificate_path', { seen: 'no issuer' })
  const next = new Map([leaf, ...issuers].map((certificate, at) => [certificate, issuers[at] ?? anchor]))
  const engine = new pkijs.CertificateChainValidationEngine({
    trustedCerts: [anchor],
    certs: [...issuers, leaf],
    checkDate: new Date(Math.max(now, ...path.map(({ notBefore }) => notBefore)) * 1000),
    findIssuer: async (certificate) => [next.get(certificate) ?? anchor],
  })
  const { result, resultMessage } = await engine.verify()
  if (!result) throw new Refused('client_certificate_path', { seen: resultMessage })
}

const parsings = new WeakMap<PathCertificate, Certificate>()

function parsed(one: PathCertificate, reader: typeof Certificate): Certificate {
  try {
    const certificate = parsings.get(one) ?? reader.fromBER(one.der)
    parsings.set(one, certificate)
    return certificate
  } catch (cause) {
    throw new Refused('client_certificate_path', { seen: one.name, cause })
  }
}

function unfit({ name }: PathCertificate, what: string): Refused {
  return new Refused('client_certificate_path', { seen: `${what}: ${name}` })
}
