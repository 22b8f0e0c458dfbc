import type { Inbound } from '../foundation/inbound.ts'
import { Refused } from '../oauth/refusal.ts'
import { findTokenScheme, type TokenScheme } from '../oauth/token-scheme.ts'
import type { TokenForm } from './access-token.ts'

/** An access token as it arrived: not looked into, not believed, and never to be shown to anyone. */
export interface PresentedToken {
  readonly form: TokenForm
  readonly scheme: TokenScheme
  readonly text: string
}

const longest = 16_384

/**
 * Takes the access token out of the one Authorization header. RFC 6750 §2.1, RFC 9449 §7.1; the ways of RFC 6750 §2.2 and
 * §2.3 refuse. Whether the scheme is the token's own is judged when the token is known.
 *
 * What has three parts between dots is taken for a JWT where JWTs are accepted, anything else for a handle.
 *
 * @throws {@link Refused} `request_target_malformed`, `token_in_query`, `token_repeated`, `token_missing`,
 * `token_scheme_unknown`, `token_malformed`
 */
export function parsePresentedToken(
  { url, headers, form }: Inbound,
  { origin, tokens }: { readonly origin: string; readonly tokens: readonly TokenForm[] },
): PresentedToken {
  if (!isBelow(origin, url)) throw new Refused('request_target_malformed')
  if (hasParameter(url, 'access_token') || form?.some(([name]) => name === 'access_token')) {
    throw new Refused('token_in_query')
  }
  const [header, second] = headers.authorization ?? []
  if (header === undefined) throw new Refused('token_missing')
  if (second !== undefined) throw new Refused('token_repeated')
  if (header.length > longest) throw new Refused('token_malformed', { seen: `${header.length} characters` })
  const scheme = findTokenScheme(header)
  if (!scheme) throw new Refused('token_scheme_unknown', { expected: 'Bearer or DPoP' })
  const text = header.slice(scheme.length).trimStart()
  return { form: formOf(text, tokens), scheme, text }
}

/** The scheme that a request used, whatever became of its token: the challenges to it are of that one. RFC 9449 §7.2. */
export function findScheme({ headers }: Pick<Inbound, 'headers'>): TokenScheme | undefined {
  const [header, second] = headers.authorization ?? []
  return header === undefined || second !== undefined ? undefined : findTokenScheme(header)
}

function formOf(text: string, accepted: readonly TokenForm[]): TokenForm {
  const form = isThreeParts(text) && accepted.includes('jwt') ? 'jwt' : 'reference'
  if (!accepted.includes(form)) throw new Refused('token_malformed', { expected: 'a JWT' })
  return form
}

function isThreeParts(text: string): boolean {
  const second = text.indexOf('.', text.indexOf('.') + 1)
  return second > 0 && text.indexOf('.', second + 1) < 0
}

function isBelow(origin: string, url: string): boolean {
  return url.startsWith(origin) && url.charAt(origin.length) === '/' && url.charAt(origin.length + 1) !== '/'
}

function hasParameter(url: string, name: string): boolean {
  const query = url.indexOf('?')
  return query >= 0 && new URLSearchParams(url.slice(query + 1)).has(name)
}
