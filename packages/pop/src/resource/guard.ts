import type { Clock } from '../foundation/clock.ts'
import type { Fetch } from '../foundation/get-json.ts'
import type { Inbound } from '../foundation/inbound.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { type Reason, Refused, refusals } from '../oauth/refusal.ts'
import { verifyCertificate } from '../proof/certificate.ts'
import { requireConfirmed } from '../proof/confirmation.ts'
import type { Possession } from '../proof/possession.ts'
import { type AccessToken, requireForUs, type TokenForm, type TokenReader } from './access-token.ts'
import { createIntrospectionReader } from './introspected-token.ts'
import { createFetchedKeys, createFixedKeys } from './issuer-keys.ts'
import { createIssuerMetadata } from './issuer-metadata.ts'
import { createJwtReader } from './jwt-access-token.ts'
import type { ResourceMetadata } from './metadata.ts'
import { type GuardOptions, type Policy, parsePolicy } from './policy.ts'
import { parsePresentedToken } from './presented-token.ts'
import { type Admitted, createAdmitted, createDeclined, type Declined, type Verdict } from './verdict.ts'

/** Judges the requests of one API. */
export interface Guard {
  /** Where clients reach the API: what the `url` of every {@link Inbound} begins with. */
  readonly origin: string
  readonly metadata: ResourceMetadata | undefined
  /** Never rejects: what goes wrong inside is a verdict too. */
  judge(inbound: Inbound, needs?: Needs): Promise<Verdict>
  /** The verdict on a request that could not even be read, or whose handler failed. */
  decline(cause: unknown): Declined
}

/** What one route needs beyond a valid token. */
export interface Needs {
  /** Scope tokens, separated by spaces or as a list: all of them. */
  readonly scope?: string | readonly string[]
}

/** What a guard needs from its surroundings. */
export interface GuardContext {
  readonly primitives: Pick<Primitives, 'verify' | 'readCertificate'>
  readonly now: Clock
  readonly fetch: Fetch
  readonly report?: (report: GuardReport) => void
}

/** What is told to whoever runs the API: plain data, never a token. */
export interface GuardReport {
  readonly level: 'info' | 'warn' | 'error'
  readonly event:
    | 'refused'
    | 'failed'
    | 'unbound_token_admitted'
    | 'session_resumed'
    | 'keys_unavailable'
    | 'introspection_unavailable'
  readonly client?: string
  readonly reason?: Reason
  readonly rule?: string
  readonly seen?: string
  readonly cause?: unknown
}

/**
 * Creates the guard of an API.
 * @throws TypeError when the options contradict each other
 */
export function createGuard(options: GuardOptions, surroundings: GuardContext): Guard {
  const policy = parsePolicy(options)
  const context = { ...surroundings, report: harmless(surroundings.report) }
  const readers = createReaders(options, context)
  const warnOfResumption = once(() =>
    context.report({ level: 'warn', event: 'session_resumed', ...ruleOf('session_resumed') }),
  )

  async function judge(inbound: Inbound, needs: Needs = {}): Promise<Verdict> {
    let form: TokenForm = policy.tokens[0]
    try {
      const presented = parsePresentedToken(inbound, policy)
      form = presented.form
      const token = validate(await readers[form].read(presented.text))
      const possession = prove(token, inbound)
      const reported = confirm(token, possession, policy)
      return admit(token, possession, reported, needs)
    } catch (cause) {
      return decline(cause, form, needs)
    }
  }

  function validate(token: AccessToken): AccessToken {
    requireForUs(token, policy, context.now())
    return token
  }

  /** A certificate counts when the token is bound to one; any other is not judged. */
  function prove({ confirmation }: AccessToken, { certificate }: Inbound): Possession | undefined {
    if (confirmation?.['x5t#S256'] === undefined || !certificate) return undefined
    if (certificate.resumed && policy.resumedSessions === 'refuse') throw new Refused('session_resumed')
    if (certificate.resumed) warnOfResumption()
    return verifyCertificate(certificate, context.now(), context.primitives)
  }

  function admit(
    token: AccessToken,
    possession: Possession | undefined,
    reported: Reason | undefined,
    needs: Needs,
  ): Admitted {
    requireScope(token, scopeOf(needs))
    if (reported) {
      const client = token.clientId === undefined ? {} : { client: token.clientId }
      context.report({
        level: 'warn',
        event: 'unbound_token_admitted',
        reason: reported,
        ...ruleOf(reported),
        ...client,
      })
    }
    return createAdmitted(token, possession, reported)
  }

  function decline(cause: unknown, form: TokenForm, needs: Needs = {}): Declined {
    const refused = asRefusedHere(cause)
    context.report(reportOf(refused))
    return createDeclined(refused, form, policy, scopeOf(needs))
  }

  return {
    origin: policy.origin,
    metadata: policy.metadata,
    judge,
    decline: (cause) => decline(cause, policy.tokens[0]),
  }
}

/** @returns what would have refused if the guard did not only report */
function confirm(
  { confirmation }: AccessToken,
  possession: Possession | undefined,
  { binding, mode }: Policy,
): Reason | undefined {
  if (confirmation) {
    requireConfirmed(confirmation, possession ? [possession] : [])
    return undefined
  }
  if (binding === 'when-bound') return undefined
  if (mode === 'enforce') throw new Refused('binding_missing')
  return 'binding_missing'
}

function requireScope({ scope }: AccessToken, needed: readonly string[]): void {
  if (!needed.every((each) => scope.includes(each))) {
    throw new Refused('scope_insufficient', { expected: needed.join(' '), seen: scope.join(' ') })
  }
}

/** At an API an unacceptable certificate makes the token unacceptable, whatever is wrong with it. RFC 8705 §3. */
function asRefusedHere(cause: unknown): Refused {
  if (!(cause instanceof Refused)) return new Refused('server_error', { cause })
  if (!cause.reason.startsWith('certificate_')) return cause
  return new Refused('confirmation_certificate_unacceptable', { seen: cause.reason, cause })
}

function createReaders(
  options: GuardOptions,
  context: Required<GuardContext>,
): Readonly<Record<TokenForm, TokenReader>> {
  const { issuer, keys, introspection } = options
  const { primitives, fetch, now, report } = context
  const metadata = createIssuerMetadata(issuer, fetch)
  const failed = (event: 'keys_unavailable' | 'introspection_unavailable') => (cause: unknown) =>
    report({ level: 'error', event, cause })
  const outbound = { metadata, fetch, now }
  return {
    jwt: createJwtReader(
      keys ? createFixedKeys(keys) : createFetchedKeys({ ...outbound, failed: failed('keys_unavailable') }),
      primitives,
    ),
    reference: introspection
      ? createIntrospectionReader(introspection, { ...outbound, failed: failed('introspection_unavailable') })
      : { read: () => Promise.reject(new Refused('token_malformed', { expected: 'a JWT' })) },
  }
}

function reportOf({ reason, seen, cause }: Refused): GuardReport {
  return {
    level: reason === 'server_error' ? 'error' : 'info',
    event: reason === 'server_error' ? 'failed' : 'refused',
    reason,
    ...ruleOf(reason),
    ...(seen === undefined ? {} : { seen }),
    ...(cause === undefined ? {} : { cause }),
  }
}

const nothing: readonly string[] = []

function scopeOf({ scope = nothing }: Needs): readonly string[] {
  return typeof scope === 'string' ? scope.split(' ') : scope
}

function ruleOf(reason: Reason): { readonly rule: string } {
  return { rule: refusals[reason].rule }
}

/** A log that fails must not decide about a request. */
function harmless(report: GuardContext['report']): Required<GuardContext>['report'] {
  return (line) => {
    try {
      report?.(line)
    } catch {}
  }
}

function once(act: () => void): () => void {
  let done = false
  return () => {
    if (!done) act()
    done = true
  }
}
