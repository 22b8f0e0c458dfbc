/** How an access token is sent: the scheme of its Authorization header, and its `token_type`. RFC 6750 §2.1, RFC 9449 §5, §7.1. */
export type TokenScheme = 'Bearer' | 'DPoP'

/** Finds the scheme of an Authorization header, which counts in any case. RFC 9110 §11.1. @returns undefined for all others */
export function findTokenScheme(header: string): TokenScheme | undefined {
  const space = header.indexOf(' ')
  const scheme = (space < 0 ? header : header.slice(0, space)).toLowerCase()
  if (scheme === 'bearer') return 'Bearer'
  return scheme === 'dpop' ? 'DPoP' : undefined
}
