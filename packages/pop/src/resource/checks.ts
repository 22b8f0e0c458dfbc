import type { Reason, Refused } from '../oauth/refusal.ts'
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
  certificate: ['session_resumed', 'confirmation_certificate_unacceptable'],
  binding: [
    'binding_missing',
    'confirmation_proof_missing',
    'confirmation_certificate_missing',
    'confirmation_certificate_differs',
  ],
  scope: ['scope_insufficient'],
} as const satisfies Record<string, readonly Reason[]>

const names = Object.keys(reasonsOf) as CheckName[]

const namesOf: Readonly<Record<TokenForm, readonly CheckName[]>> = {
  jwt: names.filter((name) => name !== 'active'),
  reference: names.filter((name) => name !== 'algorithm' && name !== 'key' && name !== 'signature'),
}

/** The checks of an admitted request: the same objects for all of them. */
export const passedChecks = eachForm(() => true)

/** The checks of a request whose token is bound to nothing, which was admitted to be reported. */
export const unboundChecks = eachForm((name) => name !== 'binding')

/** The checks of a refused request: those that passed, and the one that did not. */
export function checksUntil({ reason, expected, seen }: Refused, form: TokenForm): readonly Check[] {
  const failing = names.find((name) => (reasonsOf[name] as readonly Reason[]).includes(reason))
  if (!failing) return []
  return [
    ...passedChecks[form].slice(0, Math.max(namesOf[form].indexOf(failing), 0)),
    {
      name: failing,
      passed: false,
      ...(expected === undefined ? {} : { expected: shorten(expected) }),
      ...(seen === undefined ? {} : { seen: shorten(seen) }),
    },
  ]
}

function eachForm(passes: (name: CheckName) => boolean): Readonly<Record<TokenForm, readonly Check[]>> {
  const checks = (form: TokenForm) =>
    Object.freeze(namesOf[form].map((name): Check => Object.freeze({ name, passed: passes(name) })))
  return { jwt: checks('jwt'), reference: checks('reference') }
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
