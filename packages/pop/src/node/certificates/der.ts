/** One element of DER by where it lies: nothing of it is copied or looked into. */
export interface DerElement {
  /** The identifier octet: class, form and number. */
  readonly tag: number
  readonly start: number
  /** Where the content begins. */
  readonly content: number
  readonly end: number
}

/**
 * Finds the elements that lie side by side in a range of bytes: for structures that are too large for `parseAsn1`.
 * @returns undefined unless all are whole and end where the range does, with definite lengths in the fewest octets
 * (X.690 §10.1), and numbers of tags below 31
 */
export function derElementsIn(bytes: Buffer, from = 0, to = bytes.length): readonly DerElement[] | undefined {
  const found: DerElement[] = []
  for (let at = from; at < to; ) {
    const element = derElementAt(bytes, at, to)
    if (!element) return undefined
    found.push(element)
    at = element.end
  }
  return found
}

/** Finds the one element that begins at a place, and ends before another one. @returns undefined as above */
export function derElementAt(bytes: Buffer, start: number, to: number): DerElement | undefined {
  const tag = bytes[start] ?? longTag
  const first = bytes[start + 1] ?? indefinite
  if ((tag & longTag) === longTag || first === indefinite || first > 0x84) return undefined
  const octets = first < indefinite ? 0 : first & 0x7f
  const content = start + 2 + octets
  if (content > to) return undefined
  const length = octets === 0 ? first : bytes.readUIntBE(start + 2, octets)
  const isShort = octets === 1 ? length < indefinite : octets > 1 && length < 256 ** (octets - 1)
  const end = content + length
  return isShort || end > to ? undefined : { tag, start, content, end }
}

const longTag = 0x1f
const indefinite = 0x80
