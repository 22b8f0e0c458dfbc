import { type BaseBlock, Constructed, fromBER, ObjectIdentifier } from 'asn1js'

/** One element of ASN.1, read and not interpreted. */
export interface Asn1 {
  /** 1 universal, 2 application, 3 context-specific. */
  readonly tagClass: number
  readonly tag: number
  /** The element with its header. */
  readonly whole: Buffer
  /** Without its header. */
  readonly content: Buffer
  /** Empty for a primitive element. */
  readonly children: readonly Asn1[]
}

/** The universal tags that are met in certificates. */
export const tags = {
  boolean: 1,
  integer: 2,
  bits: 3,
  octets: 4,
  oid: 6,
  utf8: 12,
  sequence: 16,
  set: 17,
  numeric: 18,
  printable: 19,
  teletex: 20,
  ia5: 22,
  utcTime: 23,
  generalizedTime: 24,
  visible: 26,
  bmp: 30,
} as const

/** Reads exactly one element of definite length. @returns undefined when the bytes are none, or go on behind it */
export function parseAsn1(bytes: Uint8Array): Asn1 | undefined {
  try {
    const { offset, result } = fromBER(bytes, { parseEmbedded: false, maxNodes: 1_000_000 })
    return offset === bytes.length ? elementOf(result) : undefined
  } catch {
    // asn1js throws for some malformed values, where it answers for others.
    return undefined
  }
}

/** Says whether an element has a universal tag. */
export function isUniversal(element: Asn1 | undefined, tag: number): element is Asn1 {
  return element?.tagClass === 1 && element.tag === tag
}

/** Says whether an element has a context-specific tag. */
export function isContext(element: Asn1 | undefined, tag: number): element is Asn1 {
  return element?.tagClass === 3 && element.tag === tag
}

/** The dotted form of an OBJECT IDENTIFIER. @returns undefined for another element */
export function oidOf(element: Asn1 | undefined): string | undefined {
  if (!isUniversal(element, tags.oid)) return undefined
  try {
    const { result } = fromBER(element.whole)
    return result instanceof ObjectIdentifier && !result.error ? result.valueBlock.toString() : undefined
  } catch {
    return undefined
  }
}

function elementOf(block: BaseBlock): Asn1 | undefined {
  const { tagClass, tagNumber, isConstructed } = block.idBlock
  if (block.error || block.lenBlock.isIndefiniteForm) return undefined
  const children: Asn1[] = []
  for (const child of isConstructed && block instanceof Constructed ? block.valueBlock.value : []) {
    const element = elementOf(child)
    if (!element) return undefined
    children.push(element)
  }
  const { buffer, byteOffset, byteLength } = block.valueBeforeDecodeView
  const whole = Buffer.from(buffer, byteOffset, byteLength)
  return { tagClass, tag: tagNumber, whole, content: whole.subarray(whole.length - block.lenBlock.length), children }
}
