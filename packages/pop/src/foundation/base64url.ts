const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

const values = new Int8Array(128).fill(-1)
for (let i = 0; i < 64; i++) values[alphabet.charCodeAt(i)] = i

/** Renders bytes as base64url without padding. RFC 4648 §5, RFC 7515 §2. */
export function encodeBase64url(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    text += alphabet.charAt(word >>> 18) + alphabet.charAt((word >>> 12) & 63)
    if (left > 1) text += alphabet.charAt((word >>> 6) & 63)
    if (left > 2) text += alphabet.charAt(word & 63)
  }
  return text
}

/**
 * Reads base64url in its one canonical spelling: no padding, no white space, no stray bits at the end.
 * @returns undefined for anything else, so that no value has two spellings
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  const rest = text.length % 4
  if (rest === 1) return undefined
  const bytes = new Uint8Array((text.length * 3) >> 2)
  let word = 0
  let bits = 0
  let at = 0
  for (let i = 0; i < text.length; i++) {
    const value = values[text.charCodeAt(i)] ?? -1
    if (value < 0) return undefined
    word = ((word << 6) | value) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = (word >>> bits) & 0xff
    }
  }
  if ((word & ((1 << bits) - 1)) !== 0) return undefined
  return bytes
}
