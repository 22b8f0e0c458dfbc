import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startPostgres } from '../../../../../conformance/postgres-server.ts'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import type { Issue, Store } from '../../ports/store.ts'
import { findThenSave } from '../flawed-store.fixture.ts'
import { createHistory, violationsOf } from '../history.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'
import { openPostgresStore } from './postgres.ts'

/** How often the server is killed; `HOLDFAST_FAULTS` says otherwise. */
const kills = Number(process.env.HOLDFAST_FAULTS ?? 5)

requirePrograms('postgres')('[F09] two nodes, while PostgreSQL is killed under them', () => {
  it('lose nothing that was acknowledged, use nothing twice, revive nothing', {
    timeout: 60_000 + 5000 * kills,
  }, async () => {
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const url = await server.createDatabase()
    const nodes = [await openPostgresStore({ url }), await openPostgresStore({ url })]
    onTestFinished(async () => void (await Promise.all(nodes.map((node) => node.close()))))
    const history = createHistory(8)
    let isOver = false
    const working = Promise.all(nodes.map((node) => history.work(node, () => isOver)))
    for (let injected = 0; injected < kills; injected++) {
      await pause(100 + ((injected * 37) % 200))
      await server.kill()
      await server.restart()
    }
    await pause(300)
    isOver = true
    await working
    const count = (outcome: string) => history.operations.filter((each) => each.outcome === outcome).length
    expect(count('unknown')).toBeGreaterThan(0)
    expect(count('done')).toBeGreaterThan(100)
    expect(count('lost')).toBeGreaterThan(0)
    const [first] = nodes
    expect(first && (await violationsOf(history, first))).toEqual([])
  })
})

describe('the history of a store', () => {
  it.each([
    ['that looks first and marks later', 'S2', findThenSave],
    ['that forgets what was revoked', 'S3', forgetRevocations],
    ['that acknowledges what it has not stored', 'S1', acknowledgeEarly],
  ])('shows one %s', async (_, violation, broken) => {
    const { store } = await openTemporaryStore(onTestFinished)
    const history = createHistory(8)
    const end = performance.now() + 300
    await history.work(broken(store), () => performance.now() > end)
    expect((await violationsOf(history, store)).join()).toContain(violation)
  })

  it('shows nothing of one that is right', async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const history = createHistory(8)
    const end = performance.now() + 300
    await history.work(store, () => performance.now() > end)
    expect(await violationsOf(history, store)).toEqual([])
  })
})

function forgetRevocations(store: Store): Store {
  return { ...store, revokeReferenceToken: async () => true }
}

function acknowledgeEarly(store: Store): Store {
  let count = 0
  const issue = (data: Issue) =>
    data.referenceToken && count++ % 10 === 0 ? Promise.resolve({ issued: true } as const) : store.issue(data)
  return { ...store, issue }
}
