import { isIPv4, isIPv6 } from 'node:net'
import { BitString, Boolean as Flag, Integer, ObjectIdentifier, OctetString, Primitive, Sequence } from 'asn1js'

/** The OIDs of the extensions that this product makes or looks into. RFC 5280 §4.2. */
export const extensionIds = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const

/** The bits of a key usage in their order. RFC 5280 §4.2.1.3. */
export const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const

/** One key usage. */
export type KeyUsage = (typeof keyUsages)[number]

/** The purposes that this product knows. RFC 5280 §4.2.1.12. */
export const extendedKeyUsages = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  anyExtendedKeyUsage: '2.5.29.37.0',
} as const

/** A purpose by its name, or by OID. */
export type ExtendedKeyUsage = keyof typeof extendedKeyUsages | (string & {})

/** An extension ready to be written. */
export interface RawExtension {
  readonly oid: string
  readonly critical?: boolean
  /** DER of the value. */
  readonly value: Uint8Array
}

/** The names of a subjectAltName. RFC 5280 §4.2.1.6. */
export interface AlternativeNames {
  readonly dns?: readonly string[]
  readonly uris?: readonly string[]
  readonly ips?: readonly string[]
  readonly emails?: readonly string[]
}

/** Writes a list of extensions. */
export function encodeExtensions(extensions: readonly RawExtension[]): Sequence {
  const value = extensions.map(
    ({ oid, critical = false, value }) =>
      new Sequence({
        value: [
          new ObjectIdentifier({ value: oid }),
          ...(critical ? [new Flag({ value: true })] : []),
          new OctetString({ valueHex: value }),
        ],
      }),
  )
  return new Sequence({ value })
}

/** RFC 5280 §4.2.1.3: DER of named bits has no zero bits at its end. */
export function keyUsage(usages: readonly KeyUsage[], critical: boolean): RawExtension {
  const last = Math.max(...usages.map((usage) => keyUsages.indexOf(usage)))
  const bytes = new Uint8Array(last < 8 ? 1 : 2)
  for (const usage of usages) {
    const bit = keyUsages.indexOf(usage)
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7))
  }
  const value = der(new BitString({ valueHex: bytes, unusedBits: 7 - (last & 7) }))
  return { oid: extensionIds.keyUsage, critical, value }
}

/** RFC 5280 §4.2.1.12. */
export function extendedKeyUsage(purposes: readonly ExtendedKeyUsage[]): RawExtension {
  const known: Readonly<Record<string, string>> = extendedKeyUsages
  const value = purposes.map((purpose) => new ObjectIdentifier({ value: known[purpose] ?? purpose }))
  return { oid: extensionIds.extendedKeyUsage, value: der(new Sequence({ value })) }
}

/** RFC 5280 §4.2.1.9. */
export function basicConstraints(isCa: boolean, pathLength: number | undefined): RawExtension {
  const length = pathLength === undefined ? [] : [new Integer({ value: pathLength })]
  const value = isCa ? [new Flag({ value: true }), ...length] : []
  return { oid: extensionIds.basicConstraints, critical: true, value: der(new Sequence({ value })) }
}

/** RFC 5280 §4.2.1.2. */
export function subjectKeyIdentifier(identifier: Uint8Array): RawExtension {
  return { oid: extensionIds.subjectKeyIdentifier, value: der(new OctetString({ valueHex: identifier })) }
}

/** RFC 5280 §4.2.1.1. */
export function authorityKeyIdentifier(identifier: Uint8Array): RawExtension {
  return { oid: extensionIds.authorityKeyIdentifier, value: der(new Sequence({ value: [tagged(0, identifier)] })) }
}

/** RFC 5280 §4.2.1.6. @returns undefined without names */
export function subjectAltName({ dns, uris, ips, emails }: AlternativeNames): RawExtension | undefined {
  const value = [
    ...(emails ?? []).map((name) => tagged(1, Buffer.from(name))),
    ...(dns ?? []).map((name) => tagged(2, Buffer.from(name))),
    ...(uris ?? []).map((name) => tagged(6, Buffer.from(name))),
    ...(ips ?? []).map((name) => tagged(7, requireIp(name))),
  ]
  return value.length === 0 ? undefined : { oid: extensionIds.subjectAltName, value: der(new Sequence({ value })) }
}

/** The bytes of an IP address: four or sixteen. @returns undefined when the text is none */
export function bytesOfIp(text: string): Buffer | undefined {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number))
  if (!isIPv6(text) || text.includes('%')) return undefined
  const [head = '', tail] = text.split('::')
  const left = groupsOf(head)
  const right = groupsOf(tail ?? '')
  return Buffer.concat([left, Buffer.alloc(16 - left.length - right.length), right])
}

function groupsOf(text: string): Buffer {
  const groups = text === '' ? [] : text.split(':')
  return Buffer.concat(
    groups.map((group) =>
      group.includes('.') ? Buffer.from(group.split('.').map(Number)) : Buffer.from(group.padStart(4, '0'), 'hex'),
    ),
  )
}

function requireIp(text: string): Buffer {
  const bytes = bytesOfIp(text)
  if (!bytes) throw new TypeError(`not an IP address: ${text}`)
  return bytes
}

function tagged(tagNumber: number, valueHex: Uint8Array): Primitive {
  return new Primitive({ idBlock: { tagClass: 3, tagNumber }, valueHex })
}

function der(block: { toBER(): ArrayBuffer }): Buffer {
  return Buffer.from(block.toBER())
}
