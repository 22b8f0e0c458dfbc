import type { Reason } from '@holdfast/pop'

/** One check of a proof. `passed` is absent where there was nothing to compare with. */
export interface ProofCheck {
  readonly name: string
  readonly passed?: boolean
  /** What the proof says, and what that means. */
  readonly says: string
  /** What a server would refuse it for. */
  readonly reason?: Reason
}

/** A check that the proof passes. */
export function passed(name: string, says: string): ProofCheck {
  return { name, passed: true, says }
}

/** A check that the proof fails, and what a server refuses it for. */
export function failed(name: string, reason: Reason, says: string): ProofCheck {
  return { name, passed: false, says, reason }
}

/** A value that somebody else wrote, short enough for one line. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 120 ? `${text.slice(0, 119)}…` : text === '' ? '""' : text
}
