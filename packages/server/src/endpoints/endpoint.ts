import { decodeForm, type Inbound, type Parameters, parseParameters, Refused } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AnsweredRequest } from '../ports/report.ts'
import type { Proven } from '../possession/prove.ts'
import type { Settings } from '../settings.ts'

/** An answer as data. */
export interface Outbound {
  readonly status: number
  /** A list stands for several headers of the name: `set-cookie`. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: string
  /** What was decided, for the log, figures and spans. */
  readonly decision?: Decision
}

/** What was decided: plain data, never a token, secret, key or proof. One with a grant is the issue of a token. */
export interface Decision extends Pick<AnsweredRequest, 'grant' | 'binding' | 'format' | 'active'> {
  /** Who has authenticated. */
  readonly client?: string
}

/** An address of the server. */
export interface Endpoint {
  /** The paths, written exactly so. None where the settings do not open it. */
  paths(settings: Settings): readonly string[]
  readonly methods: readonly ('GET' | 'POST' | 'PUT' | 'DELETE')[]
  /** It takes JSON where others take forms. */
  readonly takes?: 'json'
  /** The member of the metadata that holds its address. */
  readonly address?: string
  /** Called by clients directly: served on the mTLS listener too, and listed as an alias. RFC 8705 §5. */
  readonly aliased?: boolean
  /**
   * Whose scripts may read its answers: nobody's when left out. Registered ones call what a public client calls; not
   * introspection, which is for clients with a secret, nor registration, whose token a page would give to everybody.
   */
  readonly openTo?: 'registered-origins' | 'every-origin'
  /** What the server's metadata says of it. */
  metadata?(settings: Settings): Readonly<Record<string, unknown>>
  handle(inbound: Inbound, context: Context): Promise<Outbound>
  /** How it declines, where that is not as JSON. */
  renderRefusal?(refused: Refused, request: Pick<Inbound, 'headers'>, settings: Settings): Outbound
}

/** What every answer with a token or about one carries. RFC 6749 §5.1. */
export const uncacheable = {
  'content-type': 'application/json',
  'cache-control': 'no-store',
  pragma: 'no-cache',
} as const

/** The headers of an answer to a request that may have shown a key: the next nonce is in it. RFC 9449 §8.2. */
export function answering({ nextNonce }: Pick<Proven, 'nextNonce'>): Readonly<Record<string, string>> {
  return nextNonce === undefined ? uncacheable : { ...uncacheable, 'dpop-nonce': nextNonce }
}

/** Where an endpoint lies that has one address behind the issuer. */
export function behindIssuer(path: string): Endpoint['paths'] {
  return (settings) => [`${pathOf(settings)}${path}`]
}

/** The path of the issuer, without a trailing slash. */
export function pathOf({ issuer }: Settings): string {
  return new URL(issuer).pathname.replace(/\/$/, '')
}

/** The form of a request that carries its parameters there and nowhere else. RFC 6749 §2.3.1, §3.2. */
export function formOf({ url, form }: Inbound, repeatable?: readonly string[]): Parameters {
  if (url.includes('?')) throw new Refused('parameter_in_query')
  return parseParameters(form ?? [], repeatable)
}

/** The query of a request that people's browsers bring. */
export function queryOf({ url }: Inbound): Parameters {
  const query = url.indexOf('?')
  return parseParameters(query < 0 ? [] : decodeForm(url.slice(query + 1)))
}
