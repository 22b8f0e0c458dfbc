/**
 * Parses a space-delimited list of scope tokens. RFC 6749 §3.3.
 * @returns undefined for a bad character, a doubled or empty token, or more than 100 tokens
 */
export function parseScope(text: string): readonly string[] | undefined {
  if (!/^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/.test(text) || text.length > 4096) return undefined
  const tokens = text.split(' ')
  return tokens.length <= 100 && new Set(tokens).size === tokens.length ? tokens : undefined
}
