import type { Seconds } from '../foundation/clock.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { TokenExpectation, TokenForm } from './access-token.ts'
import type { IntrospectionOptions } from './introspected-token.ts'
import { createResourceMetadata, type ResourceMetadata } from './metadata.ts'

/** What an API takes, as its operator writes it down. */
export interface GuardOptions {
  /** Who issues the tokens: an https address, exactly as `iss` says it. */
  readonly issuer: string
  /** The URI of this API: what must stand in `aud`. */
  readonly identifier: string
  /** Where clients reach this API: scheme, host and port. The identifier's when left out. */
  readonly origin?: string
  /** `when-bound` also admits tokens that are bound to no key. A bound one is never admitted without its key. @default 'required' */
  readonly binding?: 'required' | 'when-bound'
  /** `report` admits valid tokens that are not bound, and says so. Nothing else: a bound one still needs its key. @default 'enforce' */
  readonly mode?: 'enforce' | 'report'
  /** The forms that are taken. @default jwt, and reference where introspection is set up */
  readonly tokens?: readonly TokenForm[]
  /** The keys of the issuer, as a JWK set. Discovered and kept fresh when left out. */
  readonly keys?: JsonObject
  readonly introspection?: IntrospectionOptions
  /** What happens when a certificate comes from a resumed TLS session. RFC 8705 §7.1. @default 'warn' */
  readonly resumedSessions?: 'warn' | 'refuse'
  /** How far the issuer's clock may differ. @default 5 */
  readonly clockSkew?: Seconds
  /** The scopes of this API, for its metadata. */
  readonly scopes?: readonly string[]
}

/** What an API takes, complete. */
export interface Policy extends TokenExpectation {
  readonly origin: string
  readonly tokens: readonly [TokenForm, ...TokenForm[]]
  readonly binding: 'required' | 'when-bound'
  readonly mode: 'enforce' | 'report'
  readonly resumedSessions: 'warn' | 'refuse'
  readonly metadata: ResourceMetadata | undefined
}

/**
 * Completes the options of a guard.
 * @throws TypeError for the first one that cannot be: the option, what is wrong, what to write
 */
export function parsePolicy(options: GuardOptions): Policy {
  const { issuer, identifier, clockSkew = 5, binding = 'required', mode = 'enforce' } = options
  if (!URL.canParse(issuer) || new URL(issuer).protocol !== 'https:') {
    throw new TypeError(`issuer: "${issuer}" is no https address. Write it exactly as the metadata of the issuer does.`)
  }
  if (!URL.canParse(identifier)) {
    throw new TypeError(
      `identifier: "${identifier}" is no absolute URI. Write the one by which the issuer knows this API.`,
    )
  }
  const { origin = new URL(identifier).origin, resumedSessions = 'warn' } = options
  if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
    throw new TypeError(
      `origin: "${origin}" is no origin. Write where clients reach this API: https://api.example.com.`,
    )
  }
  requireOneOf('binding', binding, ['required', 'when-bound'])
  requireOneOf('mode', mode, ['enforce', 'report'])
  requireOneOf('resumedSessions', resumedSessions, ['warn', 'refuse'])
  if (!Number.isFinite(clockSkew) || clockSkew < 0) {
    throw new TypeError(`clockSkew: "${clockSkew}" is no number of seconds. Write one such as 5.`)
  }
  const metadata = createResourceMetadata(options)
  return {
    issuer,
    identifier,
    clockSkew,
    binding,
    mode,
    origin,
    tokens: parseForms(options),
    resumedSessions,
    metadata,
  }
}

/** Options often come from where no compiler looks: a word that nobody knows must not mean the weaker one. */
function requireOneOf(option: string, value: string, words: readonly string[]): void {
  if (!words.includes(value)) throw new TypeError(`${option}: "${value}" is unknown. Write one of ${words.join(', ')}.`)
}

function parseForms({ introspection, tokens }: GuardOptions): Policy['tokens'] {
  const [first, ...rest] = tokens ?? (introspection ? (['jwt', 'reference'] as const) : (['jwt'] as const))
  if (first === undefined) throw new TypeError("tokens: is empty. Write ['jwt'], ['reference'] or both.")
  if (!introspection && [first, ...rest].includes('reference')) {
    throw new TypeError('introspection: is missing for reference tokens. Write { client_id, client_secret }.')
  }
  return [first, ...rest]
}
