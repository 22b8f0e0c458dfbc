import { createPrivateKey } from 'node:crypto'
import { fromBER, Integer, Sequence } from 'asn1js'
import type { Seconds } from '../../foundation/clock.ts'
import { Refused } from '../../oauth/refusal.ts'
import { toleratedAhead } from '../../proof/certificate.ts'
import { encodeExtensions, type RawExtension } from './extensions.ts'
import { authorityOf, type CertificatePair, encodeTime, explicit, signedStructure } from './make.ts'
import type { PathCertificate } from './path-certificate.ts'
import { derOf } from './read.ts'
import { type RevocationList, readRevocationList } from './revocation-list.ts'
import { signerOf } from './signature.ts'
import { structureOf } from './structure.ts'

const crlNumber = '2.5.29.20'

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
  return `-----BEGIN X509 CRL-----\n${linesOf(signedStructure(tbs, identifier, sign))}-----END X509 CRL-----\n`
}

/**
 * Parses revocation lists in strict PEM: nothing but X509 CRL blocks. RFC 7468 §7.
 * @throws {@link Refused} `client_certificate_revoked`: without a list that can be read, everybody counts as revoked
 */
export function parseCrls(text: string): readonly Buffer[] {
  const found: Buffer[] = []
  for (let at = 0; at < text.length; ) {
    const block = readBlock(text, at)
    if (!block) throw new Refused('client_certificate_revoked', { seen: `no strict PEM of a revocation list at ${at}` })
    revocationListOf(block.der)
    found.push(block.der)
    at = block.end
  }
  if (found.length === 0) throw new Refused('client_certificate_revoked', { seen: 'empty file of revocation lists' })
  return found
}

const beginning = /-----BEGIN X509 CRL-----\r?\n/y
const ending = /-----END X509 CRL-----(?:\r?\n|$)(?:\r?\n)*/y

/** One expression for the whole block would run out of stack at some hundred thousand lines. */
function readBlock(text: string, at: number): { readonly der: Buffer; readonly end: number } | undefined {
  beginning.lastIndex = at
  if (!beginning.test(text)) return undefined
  const start = beginning.lastIndex
  ending.lastIndex = text.indexOf('-----END', start)
  const body = text.slice(start, Math.max(start, ending.lastIndex)).replaceAll('\r\n', '\n')
  const der = Buffer.from(body, 'base64')
  if (body === '' || linesOf(der) !== body || !ending.test(text)) return undefined
  return { der, end: ending.lastIndex }
}

function linesOf(der: Buffer): string {
  return (
    der
      .toString('base64')
      .match(/.{1,64}/g)
      ?.map((line) => `${line}\n`)
      .join('') ?? ''
  )
}

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

function revocationListOf(der: Uint8Array): RevocationList {
  const list = known.get(der) ?? readRevocationList(der)
  if (!list) throw new Refused('client_certificate_revoked', { seen: 'a revocation list that cannot be read' })
  known.set(der, list)
  return list
}
