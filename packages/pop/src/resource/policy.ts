import type { Seconds } from '../foundation/clock.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { ChallengingApi } from '../oauth/challenge.ts'
import { type DpopPolicy, type ProofAlgorithm, proofAlgorithms, usualProofAlgorithms } from '../proof/dpop.ts'
import { createMemoryReplay, type Replay } from '../proof/replay.ts'
import type { TokenExpectation, TokenForm } from './access-token.ts'
import type { IntrospectionOptions } from './introspected-token.ts'
import { createResourceMetadata, type ProofMethod, type ResourceMetadata } from './metadata.ts'

/** What an API takes, as its operator writes it down. */
export interface GuardOptions {
  /** Who issues the tokens: an https address, exactly as `iss` says it. */
  readonly issuer: string
  /** The URI of this API: what must stand in `aud`. */
  readonly identifier: string
  /** Where clients reach this API: scheme, host and port. Proofs are made for it. The identifier's when left out. */
  readonly origin?: string
  /** `when-bound` also admits tokens that are bound to no key. A bound one is never admitted without its key. @default 'required' */
  readonly binding?: 'required' | 'when-bound'
  /** How keys may be shown. A token that is bound by another method is refused, whatever else comes with it. @default both */
  readonly methods?: readonly ProofMethod[]
  /** `report` admits valid tokens that are not bound, and says so. Nothing else: a bound one still needs its key. @default 'enforce' */
  readonly mode?: 'enforce' | 'report'
  /** The forms that are taken. @default jwt, and reference where introspection is set up */
  readonly tokens?: readonly TokenForm[]
  /** The keys of the issuer, as a JWK set. Discovered and kept fresh when left out. */
  readonly keys?: JsonObject
  readonly introspection?: IntrospectionOptions
  readonly dpop?: DpopOptions
  /** What happens when a certificate comes from a resumed TLS session. RFC 8705 §7.1. @default 'warn' */
  readonly resumedSessions?: 'warn' | 'refuse'
  /** How far the issuer's clock may differ. @default 5 */
  readonly clockSkew?: Seconds
  /** The scopes of this API, for its metadata. */
  readonly scopes?: readonly string[]
}

/** What an API demands of DPoP proofs. RFC 9449. */
export interface DpopOptions {
  /** @default ES256, EdDSA, Ed25519, PS256, ML-DSA-44 and ML-DSA-65 */
  readonly algorithms?: readonly ProofAlgorithm[]
  /** Whose proofs must have a nonce of this API: nobody's, everybody's, or those of clients whose clock is off. @default 'off' */
  readonly nonces?: DpopPolicy['nonces']
  /** 32 random bytes of which the nonces are made: the same in all processes of this API, and nowhere else. @default of this process */
  readonly nonceKey?: Uint8Array
  /** Remembers which proofs were used: one for all processes of this API. @default the memory of this process */
  readonly replay?: Replay
}

/** What an API takes, complete. */
export interface Policy extends TokenExpectation {
  readonly origin: string
  readonly tokens: readonly [TokenForm, ...TokenForm[]]
  readonly binding: 'required' | 'when-bound'
  readonly methods: readonly ProofMethod[]
  readonly mode: 'enforce' | 'report'
  readonly dpop: DpopPolicy & { readonly nonceKey?: Uint8Array; readonly replay: Replay }
  readonly resumedSessions: 'warn' | 'refuse'
  readonly metadata: ResourceMetadata | undefined
  readonly challenging: ChallengingApi
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
  const methods = parseMethods(options)
  const dpop = parseDpop(options.dpop)
  const takesBearer = methods.includes('mutual-tls') || binding === 'when-bound' || mode === 'report'
  const schemes = [...(takesBearer ? ['Bearer' as const] : []), ...(methods.includes('dpop') ? ['DPoP' as const] : [])]
  const { algorithms } = dpop
  const metadata = createResourceMetadata({ ...options, methods, schemes, algorithms })
  return {
    issuer,
    identifier,
    clockSkew,
    binding,
    methods,
    mode,
    dpop,
    origin,
    tokens: parseForms(options),
    resumedSessions,
    metadata,
    challenging: {
      schemes,
      algorithms,
      parameters: metadata ? { resource_metadata: metadata.url } : { realm: identifier },
    },
  }
}

/** Options often come from where no compiler looks: a word that nobody knows must not mean the weaker one. */
function requireOneOf(option: string, value: string, words: readonly string[]): void {
  if (!words.includes(value)) throw new TypeError(`${option}: "${value}" is unknown. Write one of ${words.join(', ')}.`)
}

function parseMethods({ methods = ['mutual-tls', 'dpop'], dpop }: GuardOptions): readonly ProofMethod[] {
  if (methods.length === 0) throw new TypeError("methods: is empty. Write ['mutual-tls'], ['dpop'] or both.")
  for (const method of methods) requireOneOf('methods', method, ['mutual-tls', 'dpop'])
  if (dpop && !methods.includes('dpop')) throw new TypeError("dpop: is set, but methods has no 'dpop'. Leave one out.")
  return methods
}

function parseDpop({
  algorithms = usualProofAlgorithms,
  nonces = 'off',
  nonceKey,
  replay,
}: DpopOptions = {}): Policy['dpop'] {
  if (algorithms.length === 0) throw new TypeError("dpop.algorithms: is empty. Write ['ES256'] or more.")
  for (const algorithm of algorithms) requireOneOf('dpop.algorithms', algorithm, proofAlgorithms)
  requireOneOf('dpop.nonces', nonces, ['off', 'required', 'on-skew'])
  if (nonceKey !== undefined && !(nonceKey instanceof Uint8Array && nonceKey.length === 32)) {
    throw new TypeError('dpop.nonceKey: is not 32 bytes. Write a Uint8Array of 32 random bytes.')
  }
  if (replay !== undefined && typeof replay.use !== 'function') {
    throw new TypeError(
      'dpop.replay: has no use. Write createSqliteReplay(file), createSqlReplay(query) or createRedisReplay(redis).',
    )
  }
  return {
    algorithms,
    nonces,
    ...(nonceKey && { nonceKey: Uint8Array.from(nonceKey) }),
    replay: replay ?? createMemoryReplay(),
  }
}

function parseForms({ introspection, tokens }: GuardOptions): Policy['tokens'] {
  const [first, ...rest] = tokens ?? (introspection ? (['jwt', 'reference'] as const) : (['jwt'] as const))
  if (first === undefined) throw new TypeError("tokens: is empty. Write ['jwt'], ['reference'] or both.")
  if (!introspection && [first, ...rest].includes('reference')) {
    throw new TypeError('introspection: is missing for reference tokens. Write { client_id, client_secret }.')
  }
  return [first, ...rest]
}
