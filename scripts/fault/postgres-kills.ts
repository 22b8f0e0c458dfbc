import { setTimeout as pause } from 'node:timers/promises'
import { startPostgres } from '../../conformance/postgres-server.ts'
import { createHistory, violationsOf } from '../../packages/server/src/store/history.fixture.ts'
import { openPostgresStore } from '../../packages/server/src/store/postgres/postgres.ts'
import type { Chance } from './chance.ts'
import type { Verdict } from './kills.ts'

/** Kills PostgreSQL again and again under two nodes with eight callers each, and checks what they had been told. */
export async function killPostgres(kills: number, chance: Chance, tell: (line: string) => void): Promise<Verdict> {
  const server = await startPostgres()
  try {
    const url = await server.createDatabase()
    const nodes = await Promise.all([openPostgresStore({ url }), openPostgresStore({ url })])
    const [first] = nodes
    const history = createHistory(8)
    const ready: number[] = []
    let isOver = false
    const working = Promise.all(nodes.map((node) => history.work(node, () => isOver)))
    for (let kill = 1; kill <= kills; kill++) {
      await pause(chance.between(5, 500))
      await server.kill()
      const began = performance.now()
      await server.restart()
      while (
        !(await first.listSigningKeys().then(
          () => true,
          () => false,
        ))
      )
        await pause(5)
      ready.push(performance.now() - began)
      tell(`kill ${kill} of ${kills}: ${history.operations.length} operations`)
    }
    await pause(300)
    isOver = true
    await working
    const violations = await violationsOf(history, first)
    await Promise.all(nodes.map((node) => node.close()))
    const unanswered = history.operations.filter(({ outcome }) => outcome === 'unknown').length
    return {
      injected: kills,
      acknowledged: history.operations.length - unanswered,
      unanswered,
      violations,
      ready: ready.toSorted((one, other) => one - other),
    }
  } finally {
    await server.stop()
  }
}
