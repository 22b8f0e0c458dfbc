import { proofAhead, proofLifetime, type Reason, refusals } from '@holdfast/pop'
import { harmless, renderTable, type Terminal } from '../terminal.ts'
import type { ProofCheck } from './check.ts'
import type { ProofFindings } from './examine.ts'

/** What was found out about a proof, check by check, for people. */
export function renderProof({ checks, refused }: ProofFindings, terminal: Terminal): string {
  const { style, columns } = terminal
  const rows = checks.map((check) => [style.dim(check.name), mark(check, terminal), harmless(check.says)])
  const verdict = refused === undefined ? accepted(checks, terminal) : declined(refused, checks, terminal)
  return [
    style.strong('DPoP proof'),
    renderTable(rows, columns, '  '),
    '',
    style.strong('A server that gets it now'),
    renderTable(
      verdict.map((line) => [line]),
      columns,
      '  ',
    ),
  ].join('\n')
}

function mark({ passed }: ProofCheck, { style }: Terminal): string {
  if (passed === undefined) return style.dim('--')
  return passed ? style.good('ok') : style.bad('NO')
}

function accepted(checks: readonly ProofCheck[], { style }: Terminal): readonly string[] {
  const open = checks.filter(({ name, passed }) => passed === undefined && ofTheRequest.has(name))
  const names = open.map(({ name }) => name).join(', ')
  return [`${style.good('takes it')}, once${names === '' ? '' : `, if this fits the request: ${names}`}.`]
}

/** What only the request can tell. */
const ofTheRequest: ReadonlySet<string> = new Set(['htm', 'htu', 'ath'])

function declined(refused: Reason, checks: readonly ProofCheck[], { style }: Terminal): readonly string[] {
  const { error, says, rule } = refusals[refused]
  const failures = checks.filter(({ passed }) => passed === false)
  return [
    `${style.bad('refuses it')}: ${error}. ${says}`,
    style.dim(`${refused}, ${rule}`),
    ...(failures.length === 1 && isAge(refused) ? [aged] : []),
  ]
}

function isAge(reason: Reason): boolean {
  return reason === 'dpop_stale' || reason === 'dpop_early'
}

const aged = `But for its age nothing is wrong with it: a proof is good for one request, from ${proofAhead} s before to ${proofLifetime} s after it was made.`
