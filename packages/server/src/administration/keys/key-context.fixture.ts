import type { Clock } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import type { Store } from '../../ports/store.ts'
import type { AdministrationContext } from '../administration-context.ts'
import { createSealing } from './sealing.ts'

/** For tests: what the commands about keys need, with encryption keys that consist of one byte each: the first seals. */
export function keyContext(
  store: Store,
  now: Clock,
  ...[first = 7, ...others]: readonly number[]
): Pick<AdministrationContext, 'store' | 'sealing' | 'secret' | 'auditKey' | 'audit' | 'now'> {
  const key = (byte: number) => new Uint8Array(32).fill(byte)
  return {
    store,
    sealing: createSealing([key(first), ...others.map(key)], nodePrimitives.random),
    secret: key(1),
    auditKey: key(2),
    audit: (entry) => ({ ...entry, time: now(), node: 'node', key: key(2) }),
    now,
  }
}
