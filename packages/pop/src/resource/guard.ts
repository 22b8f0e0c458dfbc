import type { PresentedCertificate } from '../foundation/certificate-facts.ts'
import type { Clock, Seconds } from '../foundation/clock.ts'
import type { Inbound } from '../foundation/inbound.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { type Reason, Refused, refusals } from '../oauth/refusal.ts'
import { verifyCertificate } from '../proof/certificate.ts'
import { requireConfirmed } from '../proof/confirmation.ts'
import type { Possession } from '../proof/possession.ts'
import { type AccessToken, requireForUs, type TokenForm } from './access-token.ts'
import { createIntrospectionReader, type IntrospectionOptions } from './introspected-token.ts'
import { createFetchedKeys, createFixedKeys } from './issuer-keys.ts'
import { createIssuerMetadata } from './issuer-metadata.ts'
import { createJwtReader, type TokenReader } from './jwt-access-token.ts'
import { createResourceMetadata, type ResourceMetadata } from './metadata.ts'
import { type PresentedToken, parsePresentedToken } from './presented-token.ts'
import { type Admitted, createAdmitted, createDeclined, type Declined, type Verdict } from './verdict.ts'

/** What an API takes. */
export interface GuardOptions {
  /** Who issues the tokens: an https address, exactly as `iss` says it. */
  readonly issuer: string
  /** The URI of this API: what must stand in `aud`. */
  readonly identifier: string
  /** Where clients reach this API: scheme, host and port. The identifier's when left out. */
  readonly origin?: string
  /** `when-bound` also admits tokens that are bound to no key. A bound one is never admitted without its key. */
  readonly binding?: 'required' | 'when-bound'
  /** `report` admits valid tokens that are not bound, and says so. Nothing else: a bound one still needs its key. */
  readonly mode?: 'enforce' | 'report'
  /** The forms that are taken: `jwt`, and `reference` where introspection is set up. */
  readonly tokens?: readonly TokenForm[]
  /** The keys of the issuer, as a JWK set. Discovered and kept fresh when left out. */
  readonly keys?: JsonObject
  readonly introspection?: IntrospectionOptions
  /** What happens when a certificate comes from a resumed TLS session. RFC 8705 §7.1 */
  readonly resumedSessions?: 'warn' | 'refuse'
  /** How far the issuer's clock may differ. 5 when left out. */
  readonly clockSkew?: Seconds
  /** The scopes of this API, for its metadata. */
  readonly scopes?: readonly string[]
}

/** What a guard needs from its surroundings. */
export interface GuardContext {
  readonly primitives: Pick<Primitives, 'verify' | 'readCertificate'>
  readonly now: Clock
  readonly fetch: typeof fetch
  readonly report?: (report: GuardReport) => void
}

/** What is told to whoever runs the API: plain data, never a token. */
export interface GuardReport {
  readonly level: 'info' | 'warn' | 'error'
  readonly event: 'refused' | 'reported' | 'session_resumed' | 'keys_unavailable' | 'introspection_unavailable'
  readonly client?: string
  readonly reason?: Reason
  readonly rule?: string
  readonly seen?: string
  readonly cause?: unknown
}

/** What one route needs beyond a valid token. */
export interface Needs {
  /** Scope tokens, separated by spaces or as a list: all of them. */
  readonly scope?: string | readonly string[]
}

/** Judges the requests of one API. */
export interface Guard {
  /** Where clients reach the API: what {@link Inbound} `url` begins with. */
  readonly origin: string
  readonly metadata: ResourceMetadata | undefined
  /** Never rejects: what goes wrong inside is a verdict too. */
  judge(inbound: Inbound, needs?: Needs): Promise<Verdict>
  /** The verdict for a request that could not even be read. */
  decline(cause: unknown): Declined
}

/**
 * Creates the guard of an API: present, validate, prove, confirm, admit.
 * @throws TypeError when the options contradict each other
 */
export function createGuard(options: GuardOptions, context: GuardContext): Guard {
  const { binding = 'required', mode = 'enforce', resumedSessions = 'warn' } = options
  const { primitives, now, report = () => {} } = context
  const { origin, forms, policy, metadata } = settle(options)
  const readers = createReaders(options, context)
  let warned = false

  async function judge(inbound: Inbound, needs?: Needs): Promise<Verdict> {
    let form = forms[0] ?? 'jwt'
    try {
      const presented = parsePresentedToken(inbound, origin, forms)
      form = presented.form
      const token = await validate(presented)
      const possession = prove(token, inbound.certificate)
      const reported = confirm(token, possession)
      return admit(token, possession, reported, needs?.scope)
    } catch (cause) {
      return decline(cause, form, needs?.scope)
    }
  }

  async function validate({ form, text }: PresentedToken): Promise<AccessToken> {
    const token = await readers[form].read(text)
    requireForUs(token, policy, now())
    return token
  }

  /** A certificate counts when the token is bound to one; any other is not judged. */
  function prove({ confirmation }: AccessToken, certificate?: PresentedCertificate): Possession | undefined {
    if (confirmation?.['x5t#S256'] === undefined || certificate === undefined) return undefined
    if (certificate.resumed) requireResumable()
    return verifyCertificate(certificate, now(), primitives)
  }

  function confirm({ confirmation }: AccessToken, possession: Possession | undefined): Reason | undefined {
    if (confirmation) requireConfirmed(confirmation, possession ? [possession] : [])
    else if (binding === 'required') {
      if (mode === 'enforce') throw new Refused('binding_missing')
      return 'binding_missing'
    }
    return undefined
  }

  function admit(
    token: AccessToken,
    possession: Possession | undefined,
    reported: Reason | undefined,
    scope: Needs['scope'],
  ): Admitted {
    if (scope !== undefined) requireScope(token, scopeTokens(scope))
    if (reported) {
      const { rule } = refusals[reported]
      report({ level: 'warn', event: 'reported', reason: reported, rule, ...clientOf(token) })
    }
    return createAdmitted(token, possession, reported)
  }

  function decline(cause: unknown, form: TokenForm = 'jwt', scope?: Needs['scope']): Declined {
    const refused = asRefusedHere(cause)
    const verdict = createDeclined(refused, form, {
      identifier: policy.identifier,
      ...(metadata ? { metadataUrl: metadata.url } : {}),
      ...(refused.reason === 'scope_insufficient' && scope !== undefined ? { scope: scopeTokens(scope) } : {}),
    })
    const { reason, rule, status } = verdict
    report({
      level: status >= 500 ? 'error' : 'info',
      event: 'refused',
      reason,
      rule,
      ...(refused.seen === undefined ? {} : { seen: refused.seen }),
      ...(refused.cause === undefined ? {} : { cause: refused.cause }),
    })
    return verdict
  }

  function requireResumable(): void {
    if (resumedSessions === 'refuse') throw new Refused('session_resumed')
    if (!warned) report({ level: 'warn', event: 'session_resumed', rule: refusals.session_resumed.rule })
    warned = true
  }

  return { origin, metadata, judge, decline: (cause) => decline(cause) }
}

function createReaders(options: GuardOptions, context: GuardContext): Readonly<Record<TokenForm, TokenReader>> {
  const { issuer, keys, introspection } = options
  const { primitives, now, fetch, report = () => {} } = context
  const metadata = createIssuerMetadata(issuer, fetch)
  const failed = (event: 'keys_unavailable' | 'introspection_unavailable') => (cause: unknown) =>
    report({ level: 'error', event, cause })
  const issuerKeys = keys
    ? createFixedKeys(keys)
    : createFetchedKeys(metadata, { fetch, now, failed: failed('keys_unavailable') })
  return {
    jwt: createJwtReader(issuerKeys, primitives),
    reference: introspection
      ? createIntrospectionReader(introspection, { metadata, fetch, now, failed: failed('introspection_unavailable') })
      : { read: () => Promise.reject(new Refused('token_malformed', { expected: 'a JWT' })) },
  }
}

function settle(options: GuardOptions) {
  const { issuer, identifier, introspection, clockSkew = 5 } = options
  if (!URL.canParse(issuer) || new URL(issuer).protocol !== 'https:') {
    throw new TypeError(`issuer: "${issuer}" is no https address. Write it exactly as the issuer's metadata does.`)
  }
  if (!URL.canParse(identifier)) {
    throw new TypeError(
      `identifier: "${identifier}" is no absolute URI. Write the one that the issuer knows this API by.`,
    )
  }
  const origin = options.origin ?? new URL(identifier).origin
  if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
    throw new TypeError('origin: write where clients reach this API, such as https://api.example.com')
  }
  const forms: readonly TokenForm[] = options.tokens ?? (introspection ? ['jwt', 'reference'] : ['jwt'])
  if (forms.length === 0 || (forms.includes('reference') && !introspection)) {
    throw new TypeError(
      'tokens: reference tokens need introspection. Write introspection: { client_id, client_secret }.',
    )
  }
  return { origin, forms, policy: { issuer, identifier, clockSkew }, metadata: createResourceMetadata(options) }
}

/** At an API an unacceptable certificate makes the token unacceptable, whatever is wrong with it. RFC 8705 §3. */
function asRefusedHere(cause: unknown): Refused {
  if (!(cause instanceof Refused)) return new Refused('server_error', { cause })
  if (!cause.reason.startsWith('certificate_')) return cause
  return new Refused('confirmation_certificate_unacceptable', { seen: cause.reason, cause })
}

function requireScope({ scope }: AccessToken, needed: readonly string[]): void {
  const missing = needed.find((each) => !scope.includes(each))
  if (missing !== undefined) {
    throw new Refused('scope_insufficient', { expected: needed.join(' '), seen: scope.join(' ') })
  }
}

function scopeTokens(scope: string | readonly string[]): readonly string[] {
  return typeof scope === 'string' ? scope.split(' ') : scope
}

function clientOf({ clientId }: AccessToken): { readonly client?: string } {
  return clientId === undefined ? {} : { client: clientId }
}
