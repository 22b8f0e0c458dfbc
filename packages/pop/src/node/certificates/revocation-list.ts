import type { KeyObject } from 'node:crypto'
import type { Seconds } from '../../foundation/clock.ts'
import { type Asn1, isUniversal, oidOf, parseAsn1, tags } from './asn1.ts'
import { type DerElement, derElementAt, derElementsIn } from './der.ts'
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

/** The identifier octets of what a list consists of. */
const octets = { boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, sequence: 0x30, extensions: 0xa0 }
const times: readonly number[] = [0x17, 0x18]

/** cRLNumber and authorityKeyIdentifier: a complete list has no other critical extension. RFC 5280 §5.2. */
const understoodOfLists = ['2.5.29.20', '2.5.29.35']

/** The DER of reasonCode and invalidityDate, in hex. RFC 5280 §5.3. */
const understoodOfEntries = ['551d15', '551d18']

/**
 * Reads a revocation list. Its entries may be hundreds of thousands, so each is walked over once and nothing is made of
 * it but its number. Delta, indirect and partial lists are not understood: the critical extensions that mark them refuse.
 * @returns undefined for anything else than one whole list
 */
export function readRevocationList(der: Uint8Array): RevocationList | undefined {
  const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength)
  const [list, trailing] = derElementsIn(bytes) ?? []
  if (list?.tag !== octets.sequence || trailing) return undefined
  const [tbs, algorithm, signature, fourth] = derElementsIn(bytes, list.content, list.end) ?? []
  if (tbs?.tag !== octets.sequence || signature?.tag !== octets.bits || fourth) return undefined
  const oid = oidOf(parsed(bytes, algorithm)?.children[0])
  const said = readSaid(bytes, tbs, algorithm)
  if (oid === undefined || !said || bytes[signature.content] !== 0) return undefined
  const [signed, made] = [sliced(bytes, tbs), bytes.subarray(signature.content + 1, signature.end)]
  return { ...said, isSignedBy: (key) => isSignedBy(oid, key, signed, made) }
}

function readSaid(bytes: Buffer, tbs: DerElement, algorithm: DerElement | undefined) {
  const all = derElementsIn(bytes, tbs.content, tbs.end) ?? []
  const [inner, issuer, thisUpdate, nextUpdate, ...rest] = all.slice(all[0]?.tag === octets.integer ? 1 : 0)
  if (!algorithm || !inner || !sliced(bytes, algorithm).equals(sliced(bytes, inner))) return undefined
  if (issuer?.tag !== octets.sequence) return undefined
  const since = momentOf(parsed(bytes, thisUpdate))
  // RFC 5280 §5.1.2.5 demands nextUpdate: without it nobody could say that a list is stale.
  const until = momentOf(parsed(bytes, nextUpdate))
  const entries = rest[0]?.tag === octets.sequence ? rest.shift() : undefined
  const marked = rest[0]?.tag === octets.extensions ? rest.shift() : undefined
  const revoked = entries ? readRevoked(bytes, entries) : new Set<string>()
  if (since === undefined || until === undefined || !revoked || rest.length > 0) return undefined
  if (marked && !areUnderstood(parsed(bytes, marked))) return undefined
  return { issuer: sliced(bytes, issuer), thisUpdate: since, nextUpdate: until, revoked }
}

function areUnderstood(marked: Asn1 | undefined): boolean {
  const extensions = readExtensions(marked?.children[0])
  return extensions?.every(({ oid, critical }) => !critical || understoodOfLists.includes(oid)) ?? false
}

function readRevoked(bytes: Buffer, { content, end }: DerElement): ReadonlySet<string> | undefined {
  const serials = new Set<string>()
  const understood = new Set<string>()
  for (let at = content; at < end; ) {
    const entry = derElementAt(bytes, at, end)
    const serial = entry && derElementAt(bytes, entry.content, entry.end)
    const since = serial && derElementAt(bytes, serial.end, entry.end)
    if (!entry || !serial || !since) return undefined
    if (entry.tag !== octets.sequence || serial.tag !== octets.integer || !times.includes(since.tag)) return undefined
    // Nearly all have the same few reasons: what was understood once is not walked through again.
    const extensions = bytes.toString('latin1', since.end, entry.end)
    if (extensions !== '' && !understood.has(extensions)) {
      if (!isUnderstoodEntry(bytes, since.end, entry.end)) return undefined
      understood.add(extensions)
    }
    serials.add(bytes.toString('hex', serial.content, serial.end))
    at = entry.end
  }
  return serials
}

function isUnderstoodEntry(bytes: Buffer, from: number, to: number): boolean {
  const [list, fourth] = derElementsIn(bytes, from, to) ?? []
  const extensions = list?.tag === octets.sequence && !fourth ? derElementsIn(bytes, list.content, list.end) : undefined
  return extensions?.every((extension) => isUnderstoodExtension(bytes, extension)) ?? false
}

function isUnderstoodExtension(bytes: Buffer, { tag, content, end }: DerElement): boolean {
  const parts = derElementsIn(bytes, content, end) ?? []
  const [oid, flag, value] = parts.length === 2 ? [parts[0], undefined, parts[1]] : parts
  if (tag !== octets.sequence || parts.length > 3) return false
  if (oid?.tag !== octets.oid || value?.tag !== octets.octets || (flag && flag.tag !== octets.boolean)) return false
  const critical = flag !== undefined && bytes[flag.content] !== 0
  return !critical || understoodOfEntries.includes(bytes.toString('hex', oid.content, oid.end))
}

function sliced(bytes: Buffer, { start, end }: DerElement): Buffer {
  return bytes.subarray(start, end)
}

function parsed(bytes: Buffer, element: DerElement | undefined): Asn1 | undefined {
  return element && parseAsn1(sliced(bytes, element))
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
