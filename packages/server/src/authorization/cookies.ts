import type { Inbound } from '@holdfast/pop'

/** The cookies of people's browsers: the session, and what tells one browser from another. */
export type CookieName = 'session' | 'browser'

const attributes = 'Path=/; Secure; HttpOnly; SameSite=Lax'

/**
 * Reads a cookie of ours. Its prefix keeps neighbours under the same name from setting it. RFC 6265bis §4.1.3.2.
 * @returns undefined when absent or not what we give out
 */
export function readCookie({ headers }: Pick<Inbound, 'headers'>, name: CookieName): string | undefined {
  const pairs = headers.cookie?.join('; ').split('; ') ?? []
  const start = `__Host-${name}=`
  const value = pairs.find((pair) => pair.startsWith(start))?.slice(start.length)
  return value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : undefined
}

/** Renders a cookie that lives until the browser ends: what it stands for ends by itself. */
export function renderCookie(name: CookieName, value: string): string {
  return `__Host-${name}=${value}; ${attributes}`
}

/** Renders what makes a browser forget a cookie. */
export function forgetCookie(name: CookieName): string {
  return `__Host-${name}=; ${attributes}; Max-Age=0`
}
