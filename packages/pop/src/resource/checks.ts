import type { Reason, Refused } from '../oauth/refusal.ts'
import type { Confirmation } from '../proof/confirmation.ts'
import type { TokenForm } from './access-token.ts'

/** One thing that was looked at. Of a refused request the last one is the one that failed. */
export interface Check {
  readonly name: CheckName
  readonly passed: boolean
  readonly expected?: string
  readonly seen?: string
}

/** What a guard looks at, in this order. */
export type CheckName = keyof typeof reasonsOf

/** What decides which checks are made: the form of a token, and what it is bound to as far as that is known yet. */
export interface Looked {
  readonly form: TokenForm
  readonly confirmation?: Confirmation
}

/** The reasons with which each check refuses, in the order in which the checks are made. */
const reasonsOf = {
  presented: [
    'request_target_malformed',
    'token_in_query',
    'token_repeated',
    'token_missing',
    'token_scheme_unknown',
    'token_malformed',
  ],
  active: ['introspection_unavailable', 'token_inactive'],
  type: ['token_type_wrong'],
  algorithm: ['token_algorithm'],
  key: ['token_key_unknown', 'keys_unavailable'],
  signature: ['token_signature'],
  claims: ['token_claims_malformed', 'confirmation_malformed', 'confirmation_unknown'],
  issuer: ['token_issuer'],
  audience: ['token_audience'],
  time: ['token_expired', 'token_not_yet_valid'],
  method: ['confirmation_method_not_taken'],
  scheme: ['token_is_dpop', 'token_is_not_dpop'],
  proof: ['dpop_missing', 'dpop_repeated', 'dpop_malformed'],
  proof_claims: ['dpop_claims_malformed'],
  proof_type: ['dpop_type'],
  proof_algorithm: ['dpop_algorithm'],
  proof_key: ['dpop_key_private', 'dpop_key'],
  proof_signature: ['dpop_signature'],
  proof_method: ['dpop_method_differs'],
  proof_url: ['dpop_url_differs'],
  proof_time: ['dpop_nonce_missing', 'dpop_nonce_unknown', 'dpop_stale', 'dpop_early', 'dpop_skewed'],
  proof_token: ['dpop_token_differs'],
  certificate: ['session_resumed', 'confirmation_certificate_unacceptable'],
  binding: [
    'binding_missing',
    'confirmation_proof_missing',
    'confirmation_proof_differs',
    'confirmation_certificate_missing',
    'confirmation_certificate_differs',
  ],
  scope: ['scope_insufficient'],
  replay: ['dpop_replayed', 'replay_unavailable'],
} as const satisfies Record<string, readonly Reason[]>

const names = Object.keys(reasonsOf) as CheckName[]

/** The checks of an admitted request: the same objects for all of their kind. */
export function passedChecks({ form, confirmation }: Looked): readonly Check[] {
  return passed[form][kindOf(confirmation)]
}

/** The checks of a request whose token is bound to nothing, which was admitted to be reported. */
export function unboundChecks({ form }: Looked): readonly Check[] {
  return unbound[form]
}

/** The checks of a refused request: those that passed, and the one that did not. */
export function checksUntil({ reason, expected, seen }: Refused, looked: Looked): readonly Check[] {
  const failing = names.find((name) => (reasonsOf[name] as readonly Reason[]).includes(reason))
  if (!failing) return []
  const before = names.indexOf(failing)
  return [
    ...passedChecks(looked).filter(({ name }) => names.indexOf(name) < before),
    {
      name: failing,
      passed: false,
      ...(expected === undefined ? {} : { expected: shorten(expected) }),
      ...(seen === undefined ? {} : { seen: shorten(seen) }),
    },
  ]
}

/** What a token is bound to decides which evidence is looked at. */
type Kind = 'none' | 'proof' | 'certificate' | 'both'

function kindOf(confirmation: Confirmation | undefined): Kind {
  if (!confirmation) return 'none'
  if (confirmation.jkt === undefined) return 'certificate'
  return confirmation['x5t#S256'] === undefined ? 'proof' : 'both'
}

function isMade(name: CheckName, form: TokenForm, kind: Kind): boolean {
  if (name === 'active') return form === 'reference'
  if (name === 'algorithm' || name === 'key' || name === 'signature') return form === 'jwt'
  if (name === 'method') return kind !== 'none'
  if (name === 'certificate') return kind === 'certificate' || kind === 'both'
  if (name === 'replay' || name.startsWith('proof')) return kind === 'proof' || kind === 'both'
  return true
}

function checksOf(form: TokenForm, kind: Kind, passes: (name: CheckName) => boolean = () => true): readonly Check[] {
  const made = names.filter((name) => isMade(name, form, kind))
  return Object.freeze(made.map((name): Check => Object.freeze({ name, passed: passes(name) })))
}

function eachKind(form: TokenForm): Readonly<Record<Kind, readonly Check[]>> {
  return {
    none: checksOf(form, 'none'),
    proof: checksOf(form, 'proof'),
    certificate: checksOf(form, 'certificate'),
    both: checksOf(form, 'both'),
  }
}

const passed = { jwt: eachKind('jwt'), reference: eachKind('reference') }

const isNotBinding = (name: CheckName): boolean => name !== 'binding'
const unbound = {
  jwt: checksOf('jwt', 'none', isNotBinding),
  reference: checksOf('reference', 'none', isNotBinding),
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
