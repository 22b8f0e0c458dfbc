import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createLoad, type Outcome } from './load.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'
import { requirePrograms } from './requires.ts'
import { createIssuer, type NodePorts, nodePorts, type Served, serve } from './served.ts'
import { openPipe, type Pipe } from './tcp-pipe.ts'

/** How often PostgreSQL is ended in each way; `HOLDFAST_FAULTS` says otherwise. */
const faults = Number(process.env.HOLDFAST_FAULTS ?? 1)

/** How many requests a second, over both nodes. */
const rate = 300

const secret = { grant_type: 'client_credentials', client_secret: 'secret', scope: 'api1' }
const reference = { ...secret, client_id: 'reference' }
const jwt = { ...secret, client_id: 'client' }

requirePrograms('postgres')('two nodes under load, when something happens to PostgreSQL', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-postgres-'))
  let postgres: PostgresServer
  let pipe: Pipe
  let url: string
  let nodes: readonly Served[]
  let ports: readonly NodePorts[]
  let ca: string
  beforeAll(async () => {
    postgres = await startPostgres()
    pipe = await openPipe(postgres.port)
    url = await postgres.createDatabase()
    const store = { postgres: url.replace(String(postgres.port), String(pipe.port)) }
    ports = [await nodePorts(), await nodePorts()]
    const issuer = await createIssuer(directory, ports[0]?.public ?? 0)
    ca = issuer.ca
    nodes = await Promise.all(
      ports.map(async (each, index) => serve(directory, issuer.write(`${index}.yaml`, each, { store }))),
    )
  }, 60_000)
  afterAll(async () => {
    await Promise.all((nodes ?? []).map((each) => each.kill()))
    await pipe?.close()
    await postgres?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Asks both nodes for reference tokens until `fault` is over and both have answered again. */
  async function underLoad(fault: () => Promise<unknown>) {
    const loads = ports.map((each) => createLoad(() => each.public, ca, 32))
    const jwtLoads = ports.map((each) => createLoad(() => each.public, ca, 32))
    const all = [...loads, ...jwtLoads]
    let turn = 0
    const ask = async () => {
      const index = turn++ % 2
      if (turn % 5 < 2) await jwtLoads[index]?.post(jwt)
      else await loads[index]?.post(reference)
    }
    const running = loads[0]?.run(rate, ask)
    while (all.flatMap((each) => each.outcomes).length < 100) await pause(50)
    const began = performance.now()
    await fault()
    const over = performance.now()
    const isBack = () => loads.every((each) => firstSuccess(each.outcomes, over) < Number.POSITIVE_INFINITY)
    for (let tries = 0; tries < 100 && !isBack(); tries++) await pause(50)
    await pause(100)
    await running?.stop()
    for (const each of all) each.close()
    const outcomes = all.flatMap((each) => each.outcomes)
    const recovered = Math.max(...loads.map((each) => firstSuccess(each.outcomes, over)))
    return { over, outcomes, recovered, slack: 30 * median(timesOf(outcomes.filter(({ sent }) => sent < began))) }
  }

  const timesOf = (outcomes: readonly Outcome[]) => outcomes.map(({ sent, answered }) => answered - sent)

  /** Of a machine that does nothing else a few milliseconds, which grow with what else it does. */
  function median(times: readonly number[]): number {
    return times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? 0
  }

  /** After how many milliseconds a node has stored something again. */
  function firstSuccess(outcomes: readonly Outcome[], since: number): number {
    const first = outcomes.find(({ sent, status, text }) => sent >= since && status === 200 && !isJwt(text))
    return (first?.answered ?? Number.POSITIVE_INFINITY) - since
  }

  const isJwt = (text: string) => String(JSON.parse(text).access_token).includes('.')

  /** Those that were acknowledged, and that no node knows. */
  async function lostOf(outcomes: readonly Outcome[]): Promise<number> {
    const load = createLoad(() => ports[1]?.public ?? 0, ca, 32)
    const tokens = outcomes.flatMap(({ status, text }) =>
      status === 200 && !isJwt(text) ? [String(JSON.parse(text).access_token)] : [],
    )
    expect(tokens.length).toBeGreaterThan(20)
    const asked = await Promise.all(
      tokens.map((token) => load.post({ token, client_id: 'api1', client_secret: 'api1-secret' }, '/introspect')),
    )
    load.close()
    return asked.filter(({ text }) => JSON.parse(text).active !== true).length
  }

  const statuses = (outcomes: readonly Outcome[]) => new Set(outcomes.map(({ status, error }) => status ?? error))

  async function connections(): Promise<number> {
    const connection = new Client({ host: '127.0.0.1', port: postgres.port, user: 'holdfast', database: 'postgres' })
    await connection.connect()
    const { rows } = await connection.query("select 1 from pg_stat_activity where application_name = 'holdfast'")
    await connection.end()
    return rows.length
  }

  it.each<[string, () => Promise<void>]>([
    ['fast restart', () => postgres.restart()],
    ['immediate restart', () => postgres.restart('SIGQUIT')],
    [
      'kill -9',
      async () => {
        await postgres.kill()
        await postgres.restart()
      },
    ],
  ])(
    '[F09] %s: 503 and nothing else, back within two seconds, nothing lost',
    { timeout: 60_000 * faults },
    async (_, fault) => {
      for (let injected = 0; injected < faults; injected++) {
        const { outcomes, recovered, slack } = await underLoad(fault)
        expect(statuses(outcomes)).toEqual(new Set([200, 503]))
        expect(recovered).toBeLessThan(2000 + slack)
        expect(await lostOf(outcomes)).toBe(0)
        // Of the pool, and who listens.
        expect(await connections()).toBeGreaterThan(2)
        expect(nodes.map(({ process: { exitCode, signalCode } }) => exitCode ?? signalCode)).toEqual([null, null])
      }
    },
  )

  it('[F11] hangs: JWTs go on, all else is 503 within two seconds, back within one', { timeout: 60_000 }, async () => {
    const { outcomes, recovered, over, slack } = await underLoad(async () => {
      postgres.signal('SIGSTOP')
      await pause(3000)
      postgres.signal('SIGCONT')
    })
    expect(statuses(outcomes)).toEqual(new Set([200, 503]))
    const during = outcomes.filter(({ sent }) => sent > over - 2800 && sent < over - 2200)
    expect(Math.max(...timesOf(during))).toBeLessThan(2100 + slack)
    expect(during.filter(({ status }) => status === 200).every(({ text }) => isJwt(text))).toBe(true)
    expect(during.filter(({ status }) => status === 200).length).toBeGreaterThan(20)
    expect(recovered).toBeLessThan(1000 + slack)
    expect(await lostOf(outcomes)).toBe(0)
  })

  it('[F11] answers 200 ms late: whoever waits longer than it can gets 503 in time, JWTs go on', {
    timeout: 60_000,
  }, async () => {
    const { outcomes, recovered, slack } = await underLoad(async () => {
      pipe.treat({ delay: 200 })
      await pause(2000)
      pipe.treat('pass')
    })
    expect([...statuses(outcomes)].filter((each) => each !== 200 && each !== 503)).toEqual([])
    expect(Math.max(...timesOf(outcomes))).toBeLessThan(3000 + slack)
    const jwts = outcomes.filter(({ status, text }) => status === 200 && isJwt(text))
    expect(median(timesOf(jwts))).toBeLessThan(200 + slack)
    expect(recovered).toBeLessThan(1000 + slack)
    expect(await lostOf(outcomes)).toBe(0)
  })

  it('[F11] has each connection of the nodes wait: 503 in time, JWTs go on, back within one', {
    timeout: 60_000,
  }, async () => {
    const operator = new Client({ connectionString: url })
    await operator.connect()
    const { outcomes, recovered, over, slack } = await underLoad(async () => {
      await operator.query('begin; lock table reference_token')
      await pause(2500)
      await operator.query('rollback')
    })
    await operator.end()
    expect(statuses(outcomes)).toEqual(new Set([200, 503]))
    const during = outcomes.filter(({ sent }) => sent > over - 2500 && sent < over - 200)
    expect(during.some(({ status }) => status === 503)).toBe(true)
    expect(during.filter(({ status }) => status === 200).length).toBeGreaterThan(20)
    expect(Math.max(...timesOf(during))).toBeLessThan(2600 + slack)
    expect(recovered).toBeLessThan(1000 + slack)
    expect(await lostOf(outcomes)).toBe(0)
  })
})
