import {
  createGuard as createCoreGuard,
  type Guard,
  type GuardContext,
  type GuardReport,
} from '../../resource/guard.ts'
import type { GuardOptions } from '../../resource/policy.ts'
import { nodePrimitives } from '../primitives.ts'

/**
 * Creates the guard of an API on Node: its crypto, its clock, its `fetch`. Each can be replaced.
 * Warnings and outages are printed to the standard error; refusals are in the verdicts.
 * @throws TypeError when the options contradict each other
 */
export function createGuard(options: GuardOptions, context: Partial<GuardContext> = {}): Guard {
  return createCoreGuard(options, {
    primitives: nodePrimitives,
    now: () => Math.floor(Date.now() / 1000),
    fetch,
    report: printTrouble,
    ...context,
  })
}

function printTrouble({ level, event, rule, cause }: GuardReport): void {
  if (level === 'info') return
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  console.error(`holdfast guard: ${event}${rule === undefined ? '' : ` (${rule})`}${why}`)
}
