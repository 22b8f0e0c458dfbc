import { createPrivateKey, type KeyObject } from 'node:crypto'
import { fromBER, Integer, Sequence } from 'asn1js'
import type { Seconds } from '../../foundation/clock.ts'
import { Refused } from '../../oauth/refusal.ts'
import { toleratedAhead } from '../../proof/certificate.ts'
import { type Asn1, isContext, isUniversal, oidOf, parseAsn1, tags } from './asn1.ts'
import { encodeExtensions, type RawExtension } from './extensions.ts'
import { authorityOf, type CertificatePair, encodeTime, explicit, signedStructure } from './make.ts'
import type { PathCertificate } from './path-certificate.ts'
import { derOf } from './read.ts'
import { isSignedBy, signerOf } from './signature.ts'
import { readExtensions, structureOf } from './structure.ts'

/** A revocation list, taken apart and not believed yet. RFC 5280 §5.1. */
interface RevocationList {
  /** DER of the Name. */
  readonly issuer: Buffer
  readonly thisUpdate: Seconds
  readonly nextUpdate: Seconds
  /** Hex of the serial numbers. */
  readonly revoked: ReadonlySet<string>
  readonly isSignedBy: (key: KeyObject) => boolean
}

const crlNumber = '2.5.29.20'
const authorityKeyIdentifier = '2.5.29.35'
const reasonCode = '2.5.29.21'
const invalidityDate = '2.5.29.24'

/** What a revocation list shall say. */
export interface RevocationListOptions {
  readonly issuer: Pick<CertificatePair, 'certificate' | 'key'>
  /** PEM of the certificates that are revoked. */
  readonly revoked: readonly string[]
  readonly thisUpdate: Seconds
  readonly nextUpdate: Seconds
  /** Beside the number, which is `thisUpdate`, and the name of the key. */
  readonly extensions?: readonly RawExtension[]
}

/** Makes a complete revocation list of one CA, as PEM. RFC 5280 §5.1. */
export function issueRevocationList({
  issuer,
  revoked,
  thisUpdate,
  nextUpdate,
  extensions = [],
}: RevocationListOptions): string {
  const ca = derOf(issuer.certificate)
  const number = { oid: crlNumber, value: Buffer.from(new Integer({ value: thisUpdate }).toBER()) }
  const { identifier, sign } = signerOf(createPrivateKey(issuer.key))
  const entries = revoked.map((certificate) => {
    const serial = Buffer.from(structureOf(derOf(certificate)).serial, 'hex')
    return new Sequence({ value: [new Integer({ valueHex: serial }), encodeTime(thisUpdate)] })
  })
  const tbs = new Sequence({
    value: [
      new Integer({ value: 1 }),
      identifier,
      fromBER(structureOf(ca).subject).result,
      encodeTime(thisUpdate),
      encodeTime(nextUpdate),
      ...(entries.length > 0 ? [new Sequence({ value: entries })] : []),
      explicit(0, encodeExtensions([...authorityOf(ca), number, ...extensions])),
    ],
  })
  const lines =
    signedStructure(tbs, identifier, sign)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`
}

/**
 * Parses revocation lists in strict PEM: nothing but X509 CRL blocks. RFC 7468 §7.
 * @throws {@link Refused} `client_certificate_revoked`: without a list that can be read, everybody counts as revoked
 */
export function parseCrls(text: string): readonly Buffer[] {
  const found: Buffer[] = []
  block.lastIndex = 0
  while (block.lastIndex < text.length) {
    const at = block.lastIndex
    const body = block.exec(text)?.[1]
    if (!body) throw new Refused('client_certificate_revoked', { seen: `no strict PEM of a revocation list at ${at}` })
    const der = Buffer.from(body, 'base64')
    revocationListOf(der)
    found.push(der)
  }
  if (found.length === 0) throw new Refused('client_certificate_revoked', { seen: 'empty file of revocation lists' })
  return found
}

const block =
  /-----BEGIN X509 CRL-----\r?\n((?:[A-Za-z0-9+/]{64}\r?\n)*[A-Za-z0-9+/]{1,64}={0,2}\r?\n)-----END X509 CRL-----(?:\r?\n|$)(?:\r?\n)*/y

/**
 * Judges a path, leaf first, by complete lists of each issuer itself. In doubt a certificate counts as revoked.
 * RFC 5280 §6.3.
 * @returns the last moment at which these lists are current
 * @throws {@link Refused} `client_certificate_revoked`: a serial number is listed, or an issuer has no current list
 */
export function requireNotRevoked(
  path: readonly PathCertificate[],
  crls: readonly Uint8Array[],
  now: Seconds,
): Seconds {
  const lists = crls.map(revocationListOf)
  let until = Number.POSITIVE_INFINITY
  for (const [at, issuer] of path.entries()) {
    const subject = path[at - 1]
    if (!subject) continue
    const current = lists.filter((list) => isCurrent(list, now) && isListOf(list, issuer))
    if (current.length === 0) throw new Refused('client_certificate_revoked', { seen: `no list of ${issuer.name}` })
    if (current.some(({ revoked }) => revoked.has(subject.serial)))
      throw new Refused('client_certificate_revoked', { seen: `serial ${subject.serial}` })
    until = Math.min(until, ...current.map(({ nextUpdate }) => nextUpdate))
  }
  return until
}

function isCurrent({ thisUpdate, nextUpdate }: RevocationList, now: Seconds): boolean {
  return thisUpdate <= now + toleratedAhead && now <= nextUpdate
}

function isListOf(list: RevocationList, { subject, usages, x509 }: PathCertificate): boolean {
  if (!list.issuer.equals(subject) || (usages && !usages.includes('cRLSign'))) return false
  return list.isSignedBy(x509.publicKey)
}

const known = new WeakMap<Uint8Array, RevocationList>()

/** Delta, indirect and partial lists are not understood: the critical extensions that mark them refuse. */
function revocationListOf(der: Uint8Array): RevocationList {
  const list = known.get(der) ?? read(der)
  if (!list) throw new Refused('client_certificate_revoked', { seen: 'a revocation list that cannot be read' })
  known.set(der, list)
  return list
}

function read(der: Uint8Array): RevocationList | undefined {
  const [tbs, algorithm, signature] = parseAsn1(der)?.children ?? []
  const fields = tbs?.children.slice(isUniversal(tbs.children[0], tags.integer) ? 1 : 0) ?? []
  const [inner, issuer, thisUpdate, nextUpdate, ...rest] = fields
  const oid = oidOf(algorithm?.children[0])
  if (!tbs || !isUniversal(signature, tags.bits) || oid === undefined) return undefined
  if (!inner || !algorithm?.whole.equals(inner.whole) || !isUniversal(issuer, tags.sequence)) return undefined
  const since = momentOf(thisUpdate)
  // RFC 5280 §5.1.2.5 demands nextUpdate: without it nobody could say that a list is stale.
  const until = momentOf(nextUpdate)
  const revoked = readRevoked(rest.find((field) => isUniversal(field, tags.sequence)))
  const marked = rest.find((field) => isContext(field, 0))
  if (since === undefined || until === undefined || !revoked) return undefined
  if (marked && !areUnderstood(marked.children[0], [crlNumber, authorityKeyIdentifier])) return undefined
  const bytes = signature.content.subarray(1)
  return {
    issuer: issuer.whole,
    thisUpdate: since,
    nextUpdate: until,
    revoked,
    isSignedBy: (key) => isSignedBy(oid, key, tbs.whole, bytes),
  }
}

function readRevoked(list: Asn1 | undefined): ReadonlySet<string> | undefined {
  const serials = new Set<string>()
  for (const { children } of list?.children ?? []) {
    const [serial, , extensions] = children
    if (!isUniversal(serial, tags.integer)) return undefined
    if (extensions && !areUnderstood(extensions, [reasonCode, invalidityDate])) return undefined
    serials.add(serial.content.toString('hex'))
  }
  return serials
}

function areUnderstood(list: Asn1 | undefined, known: readonly string[]): boolean {
  const extensions = readExtensions(list)
  return extensions?.every(({ oid, critical }) => !critical || known.includes(oid)) ?? false
}

/** RFC 5280 §4.1.2.5: seconds always, Z always, nothing finer. */
function momentOf(element: Asn1 | undefined): Seconds | undefined {
  const text = element?.content.toString('latin1') ?? ''
  const short = isUniversal(element, tags.utcTime) ? /^(\d\d)(\d{10})Z$/.exec(text) : undefined
  const long = isUniversal(element, tags.generalizedTime) ? /^(\d{4})(\d{10})Z$/.exec(text) : undefined
  const [, year, rest = ''] = short ?? long ?? []
  if (year === undefined) return undefined
  const full = year.length === 4 ? year : `${Number(year) < 50 ? '20' : '19'}${year}`
  const [month, date, hour, minute, second] = rest.match(/../g) ?? []
  const moment = Date.parse(`${full}-${month}-${date}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(moment) ? undefined : moment / 1000
}
