import { hash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ReferenceToken } from '../model/reference-token.ts'
import type { Store } from '../ports/store.ts'
import { purgeExpired } from './purging.ts'
import { openSqliteStore } from './sqlite/sqlite.ts'

const [expired, living] = [20_000, 1000]

describe('[F28] purging many expired tokens', { timeout: 60_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-'))
  const file = join(directory, 'holdfast.db')
  let store: Store
  let full: number
  beforeAll(async () => {
    store = await openSqliteStore({ file })
    for (let from = 0; from < expired; from += 250) await issue(from, 250, 1000)
    await issue(expired, living, 5000)
    full = pagesOf(file)
  }, 60_000)
  afterAll(async () => {
    await store.close()
    rmSync(directory, { recursive: true })
  })

  const issue = (from: number, howMany: number, expires: number) =>
    Promise.all(
      Array.from({ length: howMany }, (_, index) =>
        store.issue({ uses: [], referenceToken: tokenOf(String(from + index), expires) }),
      ),
    )

  it('keeps no change waiting for more than one chunk, deletes them all, and gives the disk back', async () => {
    let [chunks, mostChunks, changes] = [0, 0, 0]
    let purging = true
    const watched: Pick<Store, 'purge'> = {
      async purge(purge) {
        const gone = await store.purge(purge)
        chunks++
        return gone
      },
    }
    const changing = async () => {
      while (purging) {
        const before = chunks
        await store.revokeJwt({ jti: String(changes), expires: 9000 })
        mostChunks = Math.max(mostChunks, chunks - before)
        changes++
      }
    }
    const others = changing()
    await purgeExpired(watched, 2000)
    purging = false
    await others
    expect(chunks).toBeGreaterThanOrEqual(expired / 250)
    expect(mostChunks).toBeLessThanOrEqual(1)
    expect(changes).toBeGreaterThan(chunks)
    expect(await store.findReferenceToken(tokenOf('0', 0).hash)).toBeUndefined()
    expect(await store.findReferenceToken(tokenOf(String(expired), 0).hash)).toBeDefined()
    expect(pagesOf(file)).toBeLessThan(full / 2)
  })

  it('rests between the chunks as long as they take', async () => {
    const began = performance.now()
    let [working, left] = [0, 4]
    await purgeExpired(
      {
        async purge() {
          const from = performance.now()
          await new Promise((resolve) => setTimeout(resolve, 40))
          working += performance.now() - from
          return left-- > 0 ? 250 : 0
        },
      },
      2000,
    )
    expect(performance.now() - began).toBeGreaterThan(1.9 * working)
  })

  it('stops when the server does', async () => {
    const stopping = new AbortController()
    let chunks = 0
    await purgeExpired(
      {
        async purge() {
          if (++chunks === 3) stopping.abort()
          return 250
        },
      },
      2000,
      stopping.signal,
    )
    expect(chunks).toBe(3)
  })
})

function tokenOf(name: string, expires: number): ReferenceToken {
  const common = { subject: 's', clientId: 'c', scope: 'api1', audience: ['https://api.test'], issued: 1 }
  return { hash: hash('sha256', name, 'base64url'), jti: name, expires, ...common }
}

function pagesOf(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return Number(database.prepare('pragma page_count').get()?.page_count)
  } finally {
    database.close()
  }
}
