import { setTimeout as pause } from 'node:timers/promises'
import type { Store } from '../ports/store.ts'
import { sampleReferenceToken } from './sample-records.fixture.ts'

/** For tests: what somebody asked of a store, and what came of it. `unknown` may have happened or not. */
export interface Operation {
  readonly what: 'use' | 'insert' | 'revoke'
  readonly key: string
  readonly outcome: 'done' | 'lost' | 'unknown'
}

/** For tests: everything that was asked, by many at once. */
export interface History {
  readonly operations: Operation[]
  /** Asks until the moment comes. */
  work(store: Store, until: () => boolean): Promise<void>
}

const expires = 4_000_000_000
const { authorizationId: _, ...sample } = sampleReferenceToken
const token = { ...sample, expires }

/** For tests: callers who use things that several want, insert reference tokens and revoke them. */
export function createHistory(callers: number): History {
  const operations: Operation[] = []
  let next = 0

  const noted = async (what: Operation['what'], key: string, ask: () => Promise<boolean>): Promise<boolean> => {
    const outcome = await ask().then(
      (done) => (done ? 'done' : 'lost'),
      () => 'unknown' as const,
    )
    // What fails at once would leave nobody else a turn.
    if (outcome === 'unknown') await pause(1)
    operations.push({ what, key, outcome })
    return outcome === 'done'
  }
  const call = async (store: Store, until: () => boolean): Promise<void> => {
    while (!until()) {
      const key = String(Math.floor(next++ / 4))
      await noted('use', key, async () => (await store.issue({ uses: [{ kind: 'proof', key, expires }] })).issued)
      const hash = `token ${next++}`
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
 * For tests: says what a store has broken, after everything has settled. S1: what was acknowledged is there. S2: nothing
 * is used twice. S3: what was used or revoked stays so.
 */
export async function violationsOf({ operations }: History, store: Store): Promise<readonly string[]> {
  const found: string[] = []
  const named = (what: Operation['what'], outcome: Operation['outcome']) =>
    operations.filter((each) => each.what === what && each.outcome === outcome).map(({ key }) => key)

  const used = named('use', 'done')
  if (new Set(used).size !== used.length) found.push('S2: something was used twice')
  for (const key of new Set([...used, ...named('use', 'lost')])) {
    const { issued } = await store.issue({ uses: [{ kind: 'proof', key, expires }] })
    if (issued) found.push(`S3: ${key} can be used again`)
  }
  const revoked = new Set(named('revoke', 'done'))
  const perhaps = new Set(named('revoke', 'unknown'))
  for (const hash of named('insert', 'done')) {
    const isThere = (await store.findReferenceToken(hash)) !== undefined
    if (revoked.has(hash) && isThere) found.push(`S3: ${hash} lives after its revocation`)
    if (!revoked.has(hash) && !perhaps.has(hash) && !isThere) found.push(`S1: ${hash} is lost`)
  }
  return found
}
