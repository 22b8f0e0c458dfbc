import type { Seconds } from '@holdfast/pop'
import { type AuditHead, type AuditRecord, auditMac, auditSeal } from '../../model/audit.ts'
import type { Store } from '../../ports/store.ts'

/** A link that somebody noted elsewhere: it must still be in its chain. */
export type AuditAnchor = Pick<AuditRecord, 'node' | 'number' | 'mac'>

/**
 * What is wrong with a link, the first one of its chain that is not as it was recorded: it is `missing`, it was `altered`,
 * the `end` of the chain is not what the server wrote, it lies `beyond` that end, or it is not the one that was noted.
 */
export interface AuditFault extends Pick<AuditRecord, 'node' | 'number'> {
  readonly problem: 'missing' | 'altered' | 'end' | 'beyond' | 'anchor'
}

/** How far the chain of a node holds: to its end, or to the link before `fault`. */
export interface AuditChain extends AuditAnchor {
  readonly first?: Seconds
  readonly last?: Seconds
  readonly fault?: AuditFault
}

/** So many links are read at once. */
export const auditPage = 500

interface Reading {
  readonly store: Pick<Store, 'listAudit' | 'listAuditHeads'>
  readonly auditKey: Uint8Array
}

/** Follows the chain of each node from its first link to its end. Links may be added meanwhile. */
export async function verifyChains(anchors: readonly AuditAnchor[], reading: Reading): Promise<readonly AuditChain[]> {
  const ends = await reading.store.listAuditHeads()
  const chains: AuditChain[] = []
  for (const end of ends) {
    const noted = anchors.filter(({ node }) => node === end.node)
    chains.push(await verifyChain(end, noted, reading))
  }
  const gone = anchors.filter(({ node }) => ends.every((end) => end.node !== node))
  const nothing = { number: 0, mac: '' }
  return [
    ...chains,
    ...gone.map(({ node, number }) => ({ ...nothing, node, fault: { node, number, problem: 'anchor' } as const })),
  ]
}

async function verifyChain(end: AuditHead, anchors: readonly AuditAnchor[], reading: Reading): Promise<AuditChain> {
  const { store, auditKey } = reading
  const { node } = end
  let chain: AuditChain = { node, number: 0, mac: '' }
  let seal = ''
  const broken = (number: number, problem: AuditFault['problem']) => ({ ...chain, fault: { node, number, problem } })
  for (let page = await read(chain, store); page.length > 0; page = await read(chain, store)) {
    for (const link of page) {
      if (link.number !== chain.number + 1) return broken(chain.number + 1, 'missing')
      if (link.mac !== auditMac(link, chain.mac, auditKey)) return broken(link.number, 'altered')
      if (anchors.some(({ number, mac }) => number === link.number && mac !== link.mac))
        return broken(link.number, 'anchor')
      chain = { ...chain, number: link.number, mac: link.mac, first: chain.first ?? link.time, last: link.time }
      if (link.number === end.number && link.mac === end.mac) seal = auditSeal(link, auditKey)
    }
  }
  if (chain.number < end.number) return broken(chain.number + 1, 'missing')
  if (seal === '' || seal !== end.seal) return broken(chain.number, 'end')
  const later = (await store.listAuditHeads()).find((each) => each.node === node)?.number ?? 0
  if (chain.number > later) return broken(later + 1, 'beyond')
  const missed = anchors.find(({ number }) => number < 1 || number > chain.number)
  return missed ? broken(missed.number, 'anchor') : chain
}

async function read({ node, number: after }: AuditChain, store: Reading['store']): Promise<readonly AuditRecord[]> {
  return await store.listAudit({ node, after, limit: auditPage })
}
