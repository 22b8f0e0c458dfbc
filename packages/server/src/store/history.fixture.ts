import { setTimeout as pause } from 'node:timers/promises'
import type { Store } from '../ports/store.ts'
import { sampleReferenceToken } from './sample-records.fixture.ts'

/** For tests: what somebody asked, and what came of it. `unknown` may have happened or not. */
export interface Operation {
  readonly what: 'use' | 'insert' | 'revoke'
  readonly key: string
  /** What it ends with: the key of something that is revoked by itself. */
  readonly family?: string
  readonly outcome: 'done' | 'lost' | 'unknown'
}

/** For tests: everything that was asked, by many at once. */
export interface History {
  readonly operations: Operation[]
  /** Asks until the moment comes. */
  work(store: Store, until: () => boolean): Promise<void>
}

/** For tests: whom the checker asks how things stand, after everything has settled. */
export interface Witness {
  /** Whether what was inserted is there, and has not been ended. */
  isThere(key: string): Promise<boolean>
  /** Whether it can be used. To ask may use it up, and end its family. */
  isUsable(key: string): Promise<boolean>
}

const expires = 4_000_000_000
const { authorizationId: _, ...sample } = sampleReferenceToken
const token = { ...sample, expires }

/**
 * For tests: callers who use things that several want, insert reference tokens and revoke them.
 * @param name what the keys of this history begin with
 * @param tell told of each operation as soon as it has come to its end, and of a revocation when it begins too
 */
export function createHistory(callers: number, name = '', tell: (operation: Operation) => void = () => {}): History {
  const operations: Operation[] = []
  let next = 0

  const noted = async (what: Operation['what'], key: string, ask: () => Promise<boolean>): Promise<boolean> => {
    // Who dies meanwhile has perhaps revoked it, and can no longer say so.
    if (what === 'revoke') tell({ what, key, outcome: 'unknown' })
    const outcome = await ask().then(
      (done): Operation['outcome'] => (done ? 'done' : 'lost'),
      () => 'unknown' as const,
    )
    // What fails at once would leave nobody else a turn.
    if (outcome === 'unknown') await pause(1)
    const operation: Operation = { what, key, outcome }
    operations.push(operation)
    tell(operation)
    return outcome === 'done'
  }
  const call = async (store: Store, until: () => boolean): Promise<void> => {
    while (!until()) {
      const key = `${name}${Math.floor(next++ / 4)}`
      await noted('use', key, async () => (await store.issue({ uses: [{ kind: 'proof', key, expires }] })).issued)
      const hash = `${name}token ${next++}`
      const inserted = await noted(
        'insert',
        hash,
        async () => (await store.issue({ uses: [], referenceToken: { ...token, hash } })).issued,
      )
      if (inserted && next % 3 === 0) {
        await noted('revoke', hash, async () => {
          await store.revokeReferenceToken(hash)
          return true
        })
      }
    }
  }
  return {
    operations,
    work: async (store, until) => void (await Promise.all(Array.from({ length: callers }, () => call(store, until)))),
  }
}

/**
 * For tests: says what has been broken. S1: what was acknowledged is there. S2: nothing is used twice. S3: what was used
 * or revoked stays so.
 */
export async function findViolations(operations: readonly Operation[], witness: Witness): Promise<readonly string[]> {
  const found: string[] = []
  const named = (what: Operation['what'], outcome: Operation['outcome']) =>
    operations.filter((each) => each.what === what && each.outcome === outcome)
  const keysOf = (some: readonly Operation[]) => some.map(({ key }) => key)

  const revoked = new Set(keysOf(named('revoke', 'done')))
  const perhaps = new Set(keysOf(named('revoke', 'unknown')))
  for (const { key, family = key } of named('insert', 'done')) {
    const isThere = await witness.isThere(key)
    const isRevoked = revoked.has(key) || revoked.has(family)
    if (isRevoked && isThere) found.push(`S3: ${key} lives after its revocation`)
    if (!isRevoked && !perhaps.has(key) && !perhaps.has(family) && !isThere) found.push(`S1: ${key} is lost`)
  }
  const used = keysOf(named('use', 'done'))
  if (new Set(used).size !== used.length) found.push('S2: something was used twice')
  for (const key of new Set([...used, ...keysOf(named('use', 'lost'))])) {
    if (await witness.isUsable(key)) found.push(`S3: ${key} can be used again`)
  }
  return found
}

/** For tests: says what a store has broken of a history. */
export function violationsOf({ operations }: Pick<History, 'operations'>, store: Store): Promise<readonly string[]> {
  return findViolations(operations, {
    isThere: async (key) => (await store.findReferenceToken(key)) !== undefined,
    isUsable: async (key) => (await store.issue({ uses: [{ kind: 'proof', key, expires }] })).issued,
  })
}
