/** What decides where codes may go. */
export interface RedirectRegistration {
  readonly redirect_uris: readonly string[]
  readonly application_type: 'web' | 'native'
}

/**
 * Says whether a redirect URI may be registered: https; http on the loopback interface; for native applications also a
 * private-use scheme with a dot in it (RFC 8252 §7.1). Never a fragment, a user, or a spelling that a browser would
 * read differently, or a parameter of our answer, which would stand there twice. RFC 6749 §3.1, §3.1.2, RFC 9700 §2.6.
 */
export function isRedirectUri(uri: string, applicationType: RedirectRegistration['application_type']): boolean {
  if (!/^[\x21-\x7e]+$/.test(uri) || /[\\#*"<>^`{|}]/.test(uri) || !URL.canParse(uri)) return false
  const { protocol, username, password, searchParams } = new URL(uri)
  if (username !== '' || password !== '' || hasDotSegment(uri)) return false
  if (answered.some((name) => searchParams.has(name))) return false
  if (protocol === 'https:') return /^https:\/\/[^/?@]+/.test(uri)
  if (protocol === 'http:') return loopback.test(uri)
  return applicationType === 'native' && /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:\/{0,2}[^/]/.test(uri)
}

/**
 * Says whether a redirect URI is one of the client's: the same text. Only the port of a native application's loopback
 * address is free, as the system gives it one at each start. RFC 8252 §7.3, RFC 9700 §2.1.
 */
export function isRegisteredRedirectUri(asked: string, client: RedirectRegistration): boolean {
  if (client.redirect_uris.includes(asked)) return true
  if (client.application_type !== 'native') return false
  const portless = withoutPort(asked)
  return portless !== undefined && client.redirect_uris.some((uri) => withoutPort(uri) === portless)
}

/** Says whether a redirect URI reaches an application that anybody could have put there. RFC 8252 §8.6. */
export function isClaimable(uri: string): boolean {
  return !uri.startsWith('https://')
}

const answered = ['code', 'state', 'iss', 'error', 'error_description', 'error_uri']

const loopback = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(:[1-9]\d{0,4})?(?=[/?]|$)/

function withoutPort(uri: string): string | undefined {
  const [start, host, port] = loopback.exec(uri) ?? []
  if (start === undefined || Number(port?.slice(1) ?? 80) > 65_535) return undefined
  return `http://${host}${uri.slice(start.length)}`
}

function hasDotSegment(uri: string): boolean {
  return /\/(\.|%2e){1,2}(\/|\?|$)/i.test(uri)
}
