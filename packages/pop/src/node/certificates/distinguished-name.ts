import {
  type BaseBlock,
  fromBER,
  IA5String,
  ObjectIdentifier,
  PrintableString,
  Sequence,
  Set as SetOf,
  Utf8String,
} from 'asn1js'
import { type Asn1, isUniversal, oidOf, parseAsn1, tags } from './asn1.ts'

/** A name as certificates hold it: the most significant part first, the reverse of how RFC 4514 writes it. */
export type DistinguishedName = readonly RelativeName[]

/** One part of a name: a set, nearly always of one attribute. */
export type RelativeName = readonly NameAttribute[]

/** An attribute: its OID, and its text, or its DER as hex where it is no text. */
export type NameAttribute =
  | { readonly type: string; readonly text: string }
  | { readonly type: string; readonly der: string }

/** The first keyword of an OID is the one that is written. RFC 4514 §3, and what `openssl` and Java write. */
const keywords: readonly (readonly [oid: string, ...names: string[]])[] = [
  ['2.5.4.3', 'CN', 'commonName'],
  ['2.5.4.6', 'C', 'countryName'],
  ['2.5.4.7', 'L', 'localityName'],
  ['2.5.4.8', 'ST', 'S', 'stateOrProvinceName'],
  ['2.5.4.9', 'STREET', 'streetAddress'],
  ['2.5.4.10', 'O', 'organizationName'],
  ['2.5.4.11', 'OU', 'organizationalUnitName'],
  ['0.9.2342.19200300.100.1.25', 'DC', 'domainComponent'],
  ['0.9.2342.19200300.100.1.1', 'UID', 'userId'],
  ['1.2.840.113549.1.9.1', 'emailAddress', 'E', 'email'],
  ['2.5.4.5', 'serialNumber'],
  ['2.5.4.4', 'SN', 'surname'],
  ['2.5.4.42', 'GN', 'givenName'],
  ['2.5.4.12', 'title', 'T'],
  ['2.5.4.13', 'description'],
  ['2.5.4.15', 'businessCategory'],
  ['2.5.4.17', 'postalCode'],
  ['2.5.4.43', 'initials'],
  ['2.5.4.44', 'generationQualifier'],
  ['2.5.4.46', 'dnQualifier'],
  ['2.5.4.65', 'pseudonym'],
  ['2.5.4.97', 'organizationIdentifier'],
]

const oidOfKeyword = new Map(
  keywords.flatMap(([oid, ...names]) => names.map((name) => [name.toLowerCase(), oid] as const)),
)
const keywordOf = new Map(keywords.map(([oid, name]) => [oid, name] as const))

/**
 * Parses a name as people write it: RFC 4514, and spaces around its separators.
 * @returns undefined for anything malformed, and for the empty name
 */
export function parseDistinguishedName(text: string): DistinguishedName | undefined {
  if (text.length > 2048 || !text.isWellFormed()) return undefined
  const parts: NameAttribute[][] = [[]]
  let rest = text
  for (;;) {
    const match = attribute.exec(rest)
    if (!match) return undefined
    const [whole, keyword = '', hex, value = '', separator] = match
    const type = /^\d/.test(keyword) ? keyword : oidOfKeyword.get(keyword.toLowerCase())
    const parsed = type === undefined ? undefined : hex ? attributeOfHex(type, hex) : attributeOfText(type, value)
    if (!parsed) return undefined
    parts.at(-1)?.push(parsed)
    if (separator === '') return parts.toReversed()
    if (separator === ',') parts.push([])
    rest = rest.slice(whole.length)
  }
}

/** Reads a Name from its DER. @returns undefined when it is none */
export function readDistinguishedName(der: Uint8Array): DistinguishedName | undefined {
  const sequence = parseAsn1(der)
  if (!isUniversal(sequence, tags.sequence)) return undefined
  const name: NameAttribute[][] = []
  for (const set of sequence.children) {
    if (!isUniversal(set, tags.set) || set.children.length === 0) return undefined
    const part: NameAttribute[] = []
    for (const { children } of set.children) {
      const type = oidOf(children[0])
      const value = children[1]
      if (type === undefined || !value || children.length > 2) return undefined
      part.push(attributeOf(type, value))
    }
    name.push(part)
  }
  return name
}

/** Renders a name as one line that {@link parseDistinguishedName} reads back. RFC 4514 §2. */
export function renderDistinguishedName(name: DistinguishedName): string {
  const parts = name.map((part) => part.map((one) => `${keywordOf.get(one.type) ?? one.type}=${renderValue(one)}`))
  return parts
    .toReversed()
    .map((part) => part.join('+'))
    .join(',')
}

/** Writes a name for a certificate: UTF8String, but where RFC 5280 §4.1.2.4 and appendix A ask for another type. */
export function encodeDistinguishedName(name: DistinguishedName): Sequence {
  const sets = name.map((part) => {
    const pairs = part.map((one) => new Sequence({ value: [new ObjectIdentifier({ value: one.type }), encode(one)] }))
    // DER orders the members of a SET OF by their bytes.
    pairs.sort((a, b) => Buffer.compare(Buffer.from(a.toBER()), Buffer.from(b.toBER())))
    return new SetOf({ value: pairs })
  })
  return new Sequence({ value: sets })
}

/**
 * Says whether two names are the same: the same parts in the same order, each the same set of attributes, texts
 * equal to the letter whatever their ASN.1 string type.
 */
export function isSameName(a: DistinguishedName, b: DistinguishedName): boolean {
  return a.length === b.length && a.every((part, at) => canonical(part) === canonical(b[at] ?? []))
}

const attribute =
  /^ *([A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)+) *= *(?:#((?:[0-9A-Fa-f]{2})+)|((?:[^\\"+,;<>\0 #]|\\(?:[ "#+,;<=>\\]|[0-9A-Fa-f]{2}))(?:[^\\"+,;<>\0 ]|\\(?:[ "#+,;<=>\\]|[0-9A-Fa-f]{2})| +(?=[^ +,]))*)?) *([+,]|$)/

function attributeOfText(type: string, value: string): NameAttribute | undefined {
  const bytes: number[] = []
  for (const [piece, pair] of value.matchAll(/\\([0-9A-Fa-f]{2}|.)|[^\\]+/gsu)) {
    if (pair === undefined) bytes.push(...Buffer.from(piece))
    else if (pair.length === 2) bytes.push(Number.parseInt(pair, 16))
    else bytes.push(pair.charCodeAt(0))
  }
  const text = decodeStrictly(Buffer.from(bytes))
  return text === undefined ? undefined : { type, text }
}

function attributeOfHex(type: string, hex: string): NameAttribute | undefined {
  const value = parseAsn1(Buffer.from(hex, 'hex'))
  return value && attributeOf(type, value)
}

function attributeOf(type: string, value: Asn1): NameAttribute {
  const text = textOf(value)
  return text === undefined ? { type, der: value.whole.toString('hex') } : { type, text }
}

/** Strings that can be nothing but ASCII here. What else Teletex may hold nobody reads alike. */
const asciiTags: readonly number[] = [tags.numeric, tags.printable, tags.teletex, tags.ia5, tags.visible]

function textOf({ tagClass, tag, content }: Asn1): string | undefined {
  if (tagClass !== 1) return undefined
  if (tag === tags.utf8) return decodeStrictly(content)
  if (tag === tags.bmp && content.length % 2 === 0) {
    const text = Buffer.from(content).swap16().toString('utf16le')
    return text.isWellFormed() ? text : undefined
  }
  return asciiTags.includes(tag) && content.every((byte) => byte < 0x80) ? content.toString('latin1') : undefined
}

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function encode(one: NameAttribute): BaseBlock {
  if ('der' in one) return fromBER(Buffer.from(one.der, 'hex')).result
  switch (keywordOf.get(one.type)) {
    case 'C':
    case 'serialNumber':
    case 'dnQualifier':
      return new PrintableString({ value: one.text })
    case 'DC':
    case 'emailAddress':
      return new IA5String({ value: one.text })
    default:
      return new Utf8String({ value: one.text })
  }
}

function renderValue(one: NameAttribute): string {
  if ('der' in one) return `#${one.der}`
  return one.text
    .replace(/["+,;<>\\]|^[ #]| $/g, '\\$&')
    .replace(/\p{Cc}/gu, (character) => Buffer.from(character).toString('hex').replace(/../g, '\\$&'))
}

function canonical(part: RelativeName): string {
  return JSON.stringify(part.map((one) => ('der' in one ? [one.type, one.der, 'der'] : [one.type, one.text])).sort())
}
