import { equalInConstantTime } from '../foundation/constant-time.ts'
import { isJsonObject } from '../foundation/json.ts'
import { Refused } from '../oauth/refusal.ts'
import type { TokenScheme } from '../oauth/token-scheme.ts'
import type { Possession } from './possession.ts'

/** What a token says about its holder's key: the known members of its `cnf` claim. RFC 7800 §3.1. */
export interface Confirmation {
  /** RFC 8705 §3.1 */
  readonly 'x5t#S256'?: string
  /** RFC 9449 §6.1 */
  readonly jkt?: string
}

const thumbprintForm = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

/** Binds: the `cnf` of a token for who has shown this key. It has exactly one member. */
export function confirmationOf({ member, thumbprint }: Possession): Confirmation {
  return member === 'jkt' ? { jkt: thumbprint } : { 'x5t#S256': thumbprint }
}

/**
 * Reads a `cnf` claim. Members that we do not know are ignored beside one that we do. RFC 7800 §3.1.
 * @throws {@link Refused} `confirmation_malformed`, `confirmation_unknown`
 */
export function parseConfirmation(cnf: unknown): Confirmation {
  if (!isJsonObject(cnf)) throw new Refused('confirmation_malformed')
  const known: { 'x5t#S256'?: string; jkt?: string } = {}
  for (const member of ['x5t#S256', 'jkt'] as const) {
    if (!Object.hasOwn(cnf, member)) continue
    const value = cnf[member]
    if (typeof value !== 'string' || !thumbprintForm.test(value))
      throw new Refused('confirmation_malformed', { seen: member })
    known[member] = value
  }
  if (known['x5t#S256'] === undefined && known.jkt === undefined) {
    throw new Refused('confirmation_unknown', { seen: Object.keys(cnf).join(' ').slice(0, 40) })
  }
  return known
}

/**
 * Unlocks: every known member of the confirmation is proven by this request. RFC 8705 §3, RFC 9449 §7.
 * @throws {@link Refused} `confirmation_certificate_missing`, `confirmation_certificate_differs`,
 * `confirmation_proof_missing`, `confirmation_proof_differs`
 */
export function requireConfirmed(confirmation: Confirmation, shown: readonly Possession[]): void {
  const { jkt, 'x5t#S256': certificate } = confirmation
  if (jkt !== undefined && !isShown('jkt', jkt, shown)) {
    const other = shown.find(({ member }) => member === 'jkt')
    if (!other) throw new Refused('confirmation_proof_missing')
    throw new Refused('confirmation_proof_differs', { expected: jkt, seen: other.thumbprint })
  }
  if (certificate !== undefined && !isShown('x5t#S256', certificate, shown)) {
    const other = shown.find(({ member }) => member === 'x5t#S256')
    if (!other) throw new Refused('confirmation_certificate_missing')
    throw new Refused('confirmation_certificate_differs', { expected: certificate, seen: other.thumbprint })
  }
  if (jkt === undefined && certificate === undefined) throw new Refused('confirmation_unknown')
}

/** How a token is sent: as DPoP exactly where it is bound to a DPoP key, else as Bearer. RFC 9449 §5, RFC 8705 §3. */
export function schemeFor(confirmation: Confirmation | undefined): TokenScheme {
  return confirmation?.jkt === undefined ? 'Bearer' : 'DPoP'
}

/**
 * The scheme is the token's own. RFC 9449 §7.1, §7.2.
 * @throws {@link Refused} `token_is_dpop`, `token_is_not_dpop`
 */
export function requireScheme(scheme: TokenScheme, confirmation: Confirmation | undefined): void {
  const expected = schemeFor(confirmation)
  if (scheme !== expected) throw new Refused(expected === 'DPoP' ? 'token_is_dpop' : 'token_is_not_dpop')
}

function isShown(member: Possession['member'], thumbprint: string, shown: readonly Possession[]): boolean {
  return shown.some(
    (possession) => possession.member === member && equalInConstantTime(possession.thumbprint, thumbprint),
  )
}
