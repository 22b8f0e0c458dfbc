import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { openBalancer } from './balancer.ts'
import { lastingPort } from './lasting-port.ts'
import { createLoad, type Outcome } from './load.ts'
import { startPostgres } from './postgres-server.ts'
import { requirePrograms } from './requires.ts'
import { createIssuer, nodePorts, type Served, serve } from './served.ts'

const form = { grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret', scope: 'api1' }

function newFolder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-stop-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

const failures = (outcomes: readonly Outcome[]) => outcomes.filter(({ status }) => status !== 200)

requirePrograms('postgres')('[F27] two nodes that are restarted one after the other', () => {
  it('answer every request of 300 a second', { timeout: 90_000 }, async () => {
    const directory = newFolder()
    const postgres = await startPostgres()
    onTestFinished(() => postgres.stop())
    const url = await postgres.createDatabase()
    const port = await lastingPort()
    const issuer = await createIssuer(directory, port)
    const nodes = [await nodePorts(), await nodePorts()]
    const files = nodes.map((ports, index) => issuer.write(`${index}.yaml`, ports, { store: { postgres: url } }))
    const served: Served[] = []
    for (const file of files) served.push(await serve(directory, file))
    onTestFinished(async () => void (await Promise.all(served.map((each) => each.kill()))))
    const balancer = await openBalancer(port, nodes)
    onTestFinished(() => balancer.close())

    const load = createLoad(() => port, issuer.ca)
    let count = 0
    const running = load.run(300, () => load.post(count++ % 4 ? form : { ...form, client_id: 'reference' }))
    await pause(500)
    const took: number[] = []
    for (const [index, file] of files.entries()) {
      const stopped = await served[index]?.stop()
      expect(stopped?.code).toBe(0)
      took.push(stopped?.took ?? 0)
      served[index] = await serve(directory, file)
      await pause(700)
    }
    await running.stop()
    load.close()
    expect(failures(load.outcomes)).toEqual([])
    expect(load.outcomes.length).toBeGreaterThan(500)
    expect(Math.max(...took)).toBeLessThan(10_000)
    // Each node has served before and after.
    expect(Math.min(...balancer.given)).toBeGreaterThan(4)
  })
})

it('[F27] a node on SQLite answers what it has accepted, and leaves no log behind', { timeout: 60_000 }, async () => {
  const directory = newFolder()
  const ports = await nodePorts()
  const issuer = await createIssuer(directory, ports.public)
  const file = issuer.write('holdfast.yaml', ports, { store: { file: 'holdfast.db' } })
  const server = await serve(directory, file)
  onTestFinished(() => server.kill())
  const load = createLoad(() => ports.public, issuer.ca)
  onTestFinished(() => load.close())
  const running = load.run(200, () => load.post({ ...form, client_id: 'reference' }))
  await pause(1000)
  expect(statSync(join(directory, 'holdfast.db-wal')).size).toBeGreaterThan(0)
  const { code, took } = await server.stop()
  await running.stop()
  expect(code).toBe(0)
  expect(took).toBeLessThan(10_000)
  // Those that come later find nobody who listens; nothing was lost under way.
  const lost = failures(load.outcomes)
  expect(lost.length).toBeGreaterThan(0)
  expect(lost.filter(({ error = '' }) => !error.includes('ECONNREFUSED'))).toEqual([])
  expect(() => statSync(join(directory, 'holdfast.db-wal'))).toThrow('ENOENT')
  const database = new DatabaseSync(join(directory, 'holdfast.db'), { readOnly: true })
  onTestFinished(() => database.close())
  const { stored } = database.prepare('select count(*) as stored from reference_token').get() ?? {}
  expect(stored).toBe(load.outcomes.length - lost.length)
})
