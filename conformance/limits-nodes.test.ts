import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Guessing, guessable, guessings, verifiers } from './guesses.ts'
import type { Harness } from './harness.ts'
import { type Nodes, startNodes } from './nodes.ts'
import { requirePrograms } from './requires.ts'

const elsewhere = '127.0.0.2'

requirePrograms('postgres')('[T42] guesses at two nodes that share a database', () => {
  let nodes: Nodes
  beforeAll(async () => {
    nodes = await startNodes((settings) => ({
      ...guessable(settings),
      dpop: { proofsPerMinute: 100 },
      limits: { requestsPerClient: 200 },
    }))
    nodes.one.freeze()
    nodes.other.freeze()
  })
  afterAll(() => nodes?.close())

  const both = () => [nodes.one, nodes.other]
  const at = (index: number): Harness => (index % 2 ? nodes.one : nodes.other)
  const advance = (seconds: number) => {
    for (const node of both()) node.advance(seconds)
  }
  const marks = () => both().map(({ reports }) => reports.length)
  const exhausted = (from: readonly number[], { reason }: Guessing) =>
    both().flatMap(({ reports }, index) => reports.slice(from[index]).filter((each) => each.reason === reason)).length

  it.each([...guessings, verifiers])('of $name are answered up to the limit, by turns', async (guessing) => {
    advance(3600)
    const guess = await guessing.prepare(both())
    const from = marks()
    for (let made = 0; made < guessing.most; made++) await guess(at(made), 'wrong')
    expect(exhausted(from, guessing)).toBe(0)
    await guess(at(guessing.most), 'wrong')
    await guess(at(guessing.most + 1), 'wrong')
    expect(exhausted(from, guessing)).toBe(2)
    for (const node of both()) expect((await guess(node, 'right')).status).toBe(guessing.status)
  })

  it.each([...guessings, verifiers])('of $name are answered up to the limit, 64 at once', async (guessing) => {
    advance(3600)
    const guess = await guessing.prepare(both())
    const from = marks()
    const answers = await Promise.all(Array.from({ length: 64 }, (_, index) => guess(at(index), 'wrong')))
    const busy = answers.filter(({ status }) => status === 503).length
    expect(64 - busy - exhausted(from, guessing)).toBe(guessing.most)
    for (const node of both()) expect((await guess(node, 'right')).status).toBe(guessing.status)
  })

  it.each(guessings)('of $name go on elsewhere, and here when the time is over that either told', async (guessing) => {
    advance(3600)
    const guess = await guessing.prepare(both())
    for (let made = 0; made <= guessing.most; made++) await guess(at(made), 'wrong')
    const refused = await Promise.all(both().map((node) => guess(node, 'right')))
    const waits = refused.map(({ headers }) => Number(headers['retry-after']))
    expect(waits[0]).toBeGreaterThan(55)
    expect(Math.abs((waits[0] ?? 0) - (waits[1] ?? 0))).toBeLessThanOrEqual(1)
    const another = await guessing.prepare(both())
    for (const node of both()) expect((await another(node, 'right', elsewhere)).status).toBeLessThan(400)
    advance(Math.max(...waits) - 2)
    for (const node of both()) expect((await guess(node, 'right')).status).toBe(429)
    advance(2)
    for (const node of both()) expect((await guess(node, 'right')).status).toBeLessThan(400)
  })

  it('go on at another client', async () => {
    advance(3600)
    for (let made = 0; made <= 20; made++) await at(made).token({ client_secret: 'wrong' })
    for (const node of both()) {
      expect((await node.token()).status).toBe(429)
      expect((await node.token({ client_id: 'other', client_secret: 'other-secret' })).status).toBe(200)
    }
  })

  it('may end a second earlier or later where clocks differ, and are never forgotten for it', async () => {
    advance(3600)
    nodes.other.advance(-1)
    for (let made = 0; made < 20; made++) await at(made + 1).token({ client_secret: 'wrong' })
    expect((await nodes.other.token()).status).toBe(429)
    nodes.other.advance(1)
  })

  it('and what is only bounded are known to the other a second later', async () => {
    advance(3600)
    for (let made = 0; made < 200; made++) expect((await nodes.one.token()).status).toBe(200)
    expect((await nodes.one.token()).status).toBe(429)
    // The other learns it when it has something to tell.
    for (let made = 0; made < 3; made++) await nodes.other.token()
    await expect.poll(async () => (await nodes.other.token()).status, { timeout: 3000, interval: 200 }).toBe(429)
  })

  it('leave nothing in the database that names anybody', async () => {
    const client = new Client({ connectionString: nodes.url })
    await client.connect()
    const { rows } = await client.query<{ key: string }>('select key from attempt')
    await client.end()
    expect(rows.length).toBeGreaterThan(0)
    for (const { key } of rows) expect(key).toMatch(/^[\w-]{43}$/)
  })

  it('[F09] are counted by each node while the database is away, and nobody is refused for it', async () => {
    advance(3600)
    expect((await nodes.one.token({ client_secret: 'wrong' })).status).toBe(401)
    await nodes.postgres.kill()
    for (let made = 0; made < 19; made++) {
      expect((await nodes.one.token()).status).toBe(200)
      expect((await nodes.one.token({ client_secret: 'wrong' })).status).toBe(401)
    }
    expect((await nodes.one.token({ client_secret: 'wrong' })).status).toBe(429)
    expect(nodes.one.reports.filter(({ event }) => event === 'counts_not_shared')).toHaveLength(1)
    await nodes.postgres.restart()
    await expect
      .poll(async () => (await nodes.other.token({ client_secret: 'wrong' })).status, { timeout: 8000, interval: 300 })
      .toBe(429)
    expect(nodes.other.reports.filter(({ event }) => event === 'counts_not_shared').length).toBeLessThan(2)
  })
})
