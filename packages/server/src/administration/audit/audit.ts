import { isJsonObject, type JsonObject, type Seconds } from '@holdfast/pop'
import type { AuditEvent, AuditHead, AuditRecord } from '../../model/audit.ts'
import type { AdministrationContext } from '../administration-context.ts'
import { type AuditAnchor, type AuditChain, auditPage, verifyChains } from './chain.ts'

/** An entry as it is shown: what was recorded, and where it stands. */
export type ShownAudit = Omit<AuditRecord, 'entry'> & JsonObject

/** Which entries are asked for. */
export interface AuditQuestion {
  readonly node?: string | undefined
  readonly since?: Seconds | undefined
  readonly event?: AuditEvent | undefined
  readonly client?: string | undefined
  readonly limit: number
}

type Tools = Pick<AdministrationContext, 'store'>

/** The newest entries that are asked for, of all nodes, the newest last. */
export async function listAudit(
  question: AuditQuestion,
  { store }: Tools,
): Promise<{ readonly entries: readonly ShownAudit[] }> {
  const ends = await store.listAuditHeads()
  const asked = ends.filter(({ node }) => question.node === undefined || node === question.node)
  const found: ShownAudit[] = []
  for (const end of asked) found.push(...(await newestOf(end, question, store)))
  return { entries: found.toSorted((one, other) => one.time - other.time).slice(-question.limit) }
}

/** The entries of one node after a number, in their order; and which nodes there are. */
export async function exportAudit(
  { node, after, limit }: { readonly node?: string | undefined; readonly after: number; readonly limit: number },
  { store }: Tools,
): Promise<{ readonly nodes: readonly string[]; readonly entries: readonly ShownAudit[] }> {
  const nodes = (await store.listAuditHeads()).map((end) => end.node)
  const links = node === undefined ? [] : await store.listAudit({ node, after, limit })
  return { nodes, entries: links.map(shown) }
}

/** Whether each link is as it was recorded, and none is missing. */
export async function verifyAudit(
  { expected }: { readonly expected: readonly AuditAnchor[] },
  context: Pick<AdministrationContext, 'store' | 'auditKey'>,
): Promise<{ readonly chains: readonly AuditChain[] }> {
  return { chains: await verifyChains(expected, context) }
}

/** Records that somebody has a copy of the database. */
export async function recordBackup(
  details: { readonly file: string; readonly bytes: number },
  { store, audit }: Pick<AdministrationContext, 'store' | 'audit'>,
): Promise<{ readonly recorded: true }> {
  await store.recordAudit(audit({ event: 'backup_made', actor: 'operator', details }))
  return { recorded: true }
}

/** Goes back from the end, as far as is needed. */
async function newestOf(
  { node, number }: AuditHead,
  { since = 0, event, client, limit }: AuditQuestion,
  store: Tools['store'],
): Promise<readonly ShownAudit[]> {
  const found: ShownAudit[] = []
  for (let last = number; last > 0 && found.length < limit; last -= auditPage) {
    const after = Math.max(last - auditPage, 0)
    const links = (await store.listAudit({ node, after, limit: last - after })).map(shown)
    const fits = (link: ShownAudit) =>
      link.time >= since &&
      (event === undefined || link.event === event) &&
      (client === undefined || link.client === client)
    found.unshift(...links.filter(fits))
    if (links.length > 0 && links.every(({ time }) => time < since)) break
  }
  return found
}

/** What was written over is shown as it stands: `holdfast audit verify` names it. */
function shown({ entry, ...link }: AuditRecord): ShownAudit {
  return { ...objectIn(entry), ...link }
}

function objectIn(entry: string): JsonObject {
  try {
    const parsed: unknown = JSON.parse(entry)
    return isJsonObject(parsed) ? parsed : { entry }
  } catch {
    return { entry }
  }
}
