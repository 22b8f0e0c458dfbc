import type { KeyObject } from 'node:crypto'
import type { Seconds } from '../../foundation/clock.ts'
import { Refused } from '../../oauth/refusal.ts'
import { type Asn1, isContext, isUniversal, oidOf, parseAsn1, tags } from './asn1.ts'
import { isSignedBy } from './signature.ts'
import { readExtensions } from './structure.ts'

/** A revocation list, taken apart and not believed yet. RFC 5280 §5.1. */
export interface RevocationList {
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

const lists = new WeakMap<Uint8Array, RevocationList>()

/**
 * Reads a complete list of one issuer. Delta, indirect and partial ones are not understood, and refused for the
 * critical extensions that mark them. The same object is read once.
 * @throws {@link Refused} `client_certificate_revoked`
 */
export function revocationListOf(der: Uint8Array): RevocationList {
  const known = lists.get(der)
  if (known) return known
  const list = read(der)
  if (!list) throw new Refused('client_certificate_revoked', { seen: 'a revocation list that cannot be read' })
  lists.set(der, list)
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
