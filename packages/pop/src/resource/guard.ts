import type { Clock, Seconds } from '../foundation/clock.ts'
import type { Fetch } from '../foundation/get-json.ts'
import type { Inbound } from '../foundation/inbound.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { type Reason, Refused, refusals } from '../oauth/refusal.ts'
import { asTokenRefusal } from '../proof/certificate.ts'
import { type Confirmation, requireConfirmed, requireScheme } from '../proof/confirmation.ts'
import { requireFirstUse } from '../proof/replay.ts'
import { type AccessToken, requireForUs, type TokenForm, type TokenReader } from './access-token.ts'
import type { Looked } from './checks.ts'
import { createProver, type Evidence } from './evidence.ts'
import { createIntrospectionReader } from './introspected-token.ts'
import { createFetchedKeys, createFixedKeys } from './issuer-keys.ts'
import { createIssuerMetadata } from './issuer-metadata.ts'
import { createJwtReader } from './jwt-access-token.ts'
import type { ResourceMetadata } from './metadata.ts'
import { type GuardOptions, type Policy, parsePolicy } from './policy.ts'
import { findScheme, type PresentedToken, parsePresentedToken } from './presented-token.ts'
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
  readonly primitives: Pick<Primitives, 'verify' | 'readCertificate' | 'sha256' | 'hmac' | 'random'>
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
    | 'replay_unavailable'
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
  const resumed = once(() => context.report({ level: 'warn', event: 'session_resumed', ...ruleOf('session_resumed') }))
  const prove = createProver(policy, { ...context, resumed })
  const replayFailed = seldom(context.now, (cause) =>
    context.report({ level: 'error', event: 'replay_unavailable', ...ruleOf('replay_unavailable'), cause }),
  )

  async function judge(inbound: Inbound, needs: Needs = {}): Promise<Verdict> {
    let looked: Looked = { form: policy.tokens[0] }
    try {
      const presented = parsePresentedToken(inbound, policy)
      looked = presented
      const token = await readers[presented.form].read(presented.text)
      looked = token
      validate(token, presented)
      const evidence = await prove(token.confirmation, presented.text, inbound)
      const reported = confirm(token, evidence, policy)
      return await admit(token, evidence, reported, needs)
    } catch (cause) {
      return decline(cause, { looked, inbound, needs })
    }
  }

  function validate(token: AccessToken, { scheme }: PresentedToken): void {
    requireForUs(token, policy, context.now())
    requireMethods(token.confirmation, policy)
    requireScheme(scheme, token.confirmation)
  }

  /** The proof is used up when nothing is left to be judged. */
  async function admit(
    token: AccessToken,
    evidence: Evidence,
    reported: Reason | undefined,
    needs: Needs,
  ): Promise<Admitted> {
    requireScope(token, scopeOf(needs))
    if (evidence.proof) await requireFirstUse(evidence.proof.use, policy.dpop.replay, context.now())
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
    return createAdmitted(token, evidence, reported)
  }

  function decline(cause: unknown, { looked, inbound, needs = {} }: Refusal): Declined {
    const refused = cause instanceof Refused ? asTokenRefusal(cause) : new Refused('server_error', { cause })
    if (refused.reason === 'replay_unavailable') replayFailed(refused.cause)
    context.report(reportOf(refused))
    const isReadable = inbound !== undefined && refused.reason !== 'server_error'
    const scheme = isReadable ? findScheme(inbound) : undefined
    return createDeclined(refused, { looked, scheme, scope: scopeOf(needs) }, policy.challenging)
  }

  return {
    origin: policy.origin,
    metadata: policy.metadata,
    judge,
    decline: (cause) => decline(cause, { looked: { form: policy.tokens[0] } }),
  }
}

/** A request that is refused, as far as it is known. */
interface Refusal {
  readonly looked: Looked
  readonly inbound?: Inbound
  readonly needs?: Needs
}

/** A token that is bound by a method that this API does not take is no bearer token for that. */
function requireMethods(confirmation: Confirmation | undefined, { methods }: Policy): void {
  const isTaken =
    (confirmation?.jkt === undefined || methods.includes('dpop')) &&
    (confirmation?.['x5t#S256'] === undefined || methods.includes('mutual-tls'))
  if (isTaken) return
  const seen = Object.keys(confirmation ?? {}).join(' ')
  throw new Refused('confirmation_method_not_taken', { expected: methods.join(' '), seen })
}

/** @returns what would have refused if the guard did not only report */
function confirm(
  { confirmation }: AccessToken,
  { possessions }: Evidence,
  { binding, mode }: Policy,
): Reason | undefined {
  if (confirmation) {
    requireConfirmed(confirmation, possessions)
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

const tenSeconds: Seconds = 10

/** An outage is told, and not with every request. */
function seldom(now: Clock, act: (cause: unknown) => void): (cause: unknown) => void {
  let last: Seconds | undefined
  return (cause) => {
    const at = now()
    if (last !== undefined && Math.abs(at - last) < tenSeconds) return
    last = at
    act(cause)
  }
}

function once(act: () => void): () => void {
  let done = false
  return () => {
    if (!done) act()
    done = true
  }
}
