import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { freeBase, holdfast, origin, start, stop, untilPrints } from './command-line.fixture.ts'

const home = process.cwd()

describe('holdfast audit', () => {
  let directory: string
  let settings: object
  beforeAll(async () => {
    const base = await freeBase()
    const listener = { port: base + 1, host: 'localhost', certificate: 'as.pem', key: 'as.key' }
    settings = {
      issuer: origin(base + 1),
      layout: 'single',
      listen: { public: listener },
      node: 'as-1',
      apis: [{ identifier: 'https://api.example.com', scopes: ['api1', 'api2'] }],
    }
  })
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-'))
    await holdfast(directory, 'cert', 'ca', '--name', 'as', '--out', 'as')
    writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify(settings))
  })
  afterEach(() => {
    process.chdir(home)
    rmSync(directory, { recursive: true, force: true })
  })
  afterAll(() => process.chdir(home))

  const audit = (...words: string[]) => holdfast(directory, 'audit', ...words)
  const add = (id: string) => holdfast(directory, 'client', 'add', id, '--scope', 'api1')
  const run = (statement: string) => {
    const database = new DatabaseSync(join(directory, 'holdfast.db'))
    database.exec(statement)
    database.close()
  }
  const events = async (...words: string[]) => {
    const { out } = await audit('list', '--json', ...words)
    return JSON.parse(out).entries.map(({ number, event }: { number: number; event: string }) => [number, event])
  }

  it('tells of clients, from when they are added to when they are removed, and who did that', async () => {
    await add('shop')
    await holdfast(directory, 'client', 'edit', 'shop', '--scope', 'api1 api2', '--generate-secret')
    await holdfast(directory, 'client', 'remove', 'shop')
    const { code, out } = await audit('list', '--json')
    const actor = `operator:${userInfo().username}`
    expect(code).toBe(0)
    expect(JSON.parse(out).entries).toMatchObject([
      { number: 1, node: 'as-1', event: 'client_added', actor, client: 'shop', details: { scope: 'api1' } },
      { number: 2, event: 'client_changed', details: { scope: 'api1 api2', client_secret_hash: 'set' } },
      { number: 3, event: 'client_removed' },
    ])
    expect(Object.keys(JSON.parse(out).entries[1].details)).toEqual(['client_secret_hash', 'scope'])
  })

  it('shows a table, the newest at the end', async () => {
    await add('shop')
    await add('till')
    const { out } = await audit('list')
    expect(out).toMatch(
      /^when +event +who +about\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +client_added +operator:\S+ +client shop,/,
    )
    expect(out.indexOf('client shop')).toBeLessThan(out.indexOf('client till'))
  })

  it('shows what somebody sent on the line where it belongs, and nothing that moves the cursor', async () => {
    await add('shop')
    const entry = JSON.stringify({ client: 'till\n2027-01-01 00:00:00  client_added \u001b[2J' })
    run(`insert into audit values ('as-1', 2, 1, 'attack_suspected', '${entry}', ''); update audit_head set number = 2`)
    const { out } = await audit('list')
    expect(
      out
        .trimEnd()
        .split('\n')
        .filter((line) => /^\d{4}-/.test(line)),
    ).toHaveLength(2)
    expect(out).not.toContain('\u001b')
  })

  it('shows no more than is asked for', async () => {
    await add('shop')
    await add('till')
    await holdfast(directory, 'client', 'remove', 'shop')
    expect(await events('--limit', '2')).toEqual([
      [2, 'client_added'],
      [3, 'client_removed'],
    ])
    expect(await events('--event', 'client_added')).toEqual([
      [1, 'client_added'],
      [2, 'client_added'],
    ])
    expect(await events('--client', 'till')).toEqual([[2, 'client_added']])
    expect(await events('--node', 'another')).toEqual([])
    expect(await events('--since', '1h')).toHaveLength(3)
    expect(await events('--since', '2100-01-01')).toEqual([])
  })

  it.each([
    [['list', '--limit', '0'], 'number'],
    [['list', '--event', 'client_eaten'], 'client_removed'],
    [['list', '--since', 'yesterday'], '7d'],
    [['verify', '--expect', 'as-1:1'], 'no anchor. Write node:number:mac'],
    [['export', '--after', 'as-1'], 'node:number'],
  ])('says what is wrong with %j', async (words, says) => {
    const { code, err } = await audit(...words)
    expect([code, err]).toEqual([2, expect.stringContaining(says)])
  })

  it('is asked of a running server, which adds to it meanwhile', async () => {
    const server = start(directory, 'serve')
    await untilPrints(server, '"event":"listening"')
    await add('shop')
    expect(await events()).toEqual([
      [1, 'server_started'],
      [2, 'client_added'],
    ])
    const { out } = await audit('list', '--json', '--event', 'client_added')
    expect(JSON.parse(out).entries[0].actor).toBe('operator')
    expect(await audit('verify')).toMatchObject({ code: 0, out: expect.stringMatching(/^1 node, 2 entries, /) })
    expect(await stop(server)).toBe(0)
    expect(await events('--event', 'server_stopped')).toEqual([[3, 'server_stopped']])
    expect(await audit('verify')).toMatchObject({ code: 0 })
  })

  it('says that it holds, and what to note elsewhere; that holds later too', async () => {
    await add('shop')
    const { code, out } = await audit('verify')
    expect(code).toBe(0)
    const [anchor = ''] = /as-1:1:[A-Za-z0-9_-]{43}/.exec(out) ?? []
    await add('till')
    expect(await audit('verify', '--expect', anchor)).toMatchObject({ code: 0 })
    expect(await audit('verify', '--expect', anchor.replace('as-1:1:', 'as-1:2:'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('as-1: entry 2'),
    })
  })

  it.each([
    ["update audit set event = 'signed_in' where number = 2", 'as-1: entry 2 is not the one'],
    ['delete from audit where number = 2', 'as-1: entry 2 is missing'],
    [
      'delete from audit where number = 3; update audit_head set number = 2, mac = (select mac from audit where number = 2)',
      'as-1: the log does not end',
    ],
  ])('fails with 1, and names the entry, after %j', async (statement, says) => {
    for (const id of ['shop', 'till', 'page']) await add(id)
    run(statement)
    const { code, out, err } = await audit('verify')
    expect([code, out, err]).toEqual([1, '', expect.stringContaining(says)])
    const json = await audit('verify', '--json')
    expect([json.code, JSON.parse(json.out).sound]).toEqual([1, false])
  })

  it('names a fault on one line, whatever somebody has written as the name of its node', async () => {
    await add('shop')
    const node = "char(27) || '[2J' || char(10) || 'all is well'"
    run(`insert into audit select ${node}, 1, time, event, entry, mac from audit`)
    const { code, err } = await audit('verify')
    expect(code).toBe(1)
    expect(err).toBe('holdfast:  all is well: entry 1 is not the one that was recorded.\n')
  })

  it('is shown also where somebody has put something else in the place of an entry', async () => {
    await add('shop')
    const entry = JSON.stringify({ actor: { toString: 1, valueOf: 1 }, details: ['x'] })
    run(`update audit set entry = '${entry}'`)
    const { code, out } = await audit('list')
    expect([code, out]).toEqual([0, expect.stringContaining('{"toString":1,"valueOf":1}')])
  })

  it('refuses to change anything behind an end that somebody has moved', async () => {
    for (const id of ['shop', 'till']) await add(id)
    run(
      'delete from audit where number = 2; update audit_head set number = 1, mac = (select mac from audit where number = 1)',
    )
    const { code, err } = await add('page')
    expect([code, err]).toEqual([69, expect.stringContaining('`holdfast audit verify` says where')])
    const { out } = await holdfast(directory, 'client', 'list', '--json')
    expect(out).not.toContain('page')
  })

  it('is exported as lines of JSON, from where the reader has it', async () => {
    for (const id of ['shop', 'till', 'page']) await add(id)
    const lines = async (...words: string[]) =>
      (await audit('export', ...words)).out
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
    const all = await lines()
    expect(all.map(({ number }) => number)).toEqual([1, 2, 3])
    expect(all[0]).toMatchObject({ node: 'as-1', event: 'client_added', client: 'shop' })
    expect(Date.parse(all[0].time)).toBeGreaterThan(Date.now() - 60_000)
    expect((await lines('--after', 'as-1:2')).map(({ client }) => client)).toEqual(['page'])
    expect(await lines('--since', '2100-01-01')).toEqual([])
  })

  it('[F08] tells of backups, each of which knows of itself when it is restored, and goes on where it was', async () => {
    await add('shop')
    expect(await holdfast(directory, 'backup', 'copy.db')).toMatchObject({ code: 0 })
    await add('till')
    const anchor = /as-1:3:\S+/.exec((await audit('verify')).out)?.[0] ?? ''
    expect(await holdfast(directory, 'restore', 'copy.db')).toMatchObject({ code: 0 })
    const { out } = await audit('list', '--json')
    const actor = `operator:${userInfo().username}`
    expect(JSON.parse(out).entries).toMatchObject([
      { number: 1, event: 'client_added' },
      { number: 2, event: 'backup_made', actor, details: { file: join(directory, 'copy.db') } },
      { number: 3, event: 'client_added', client: 'till' },
      { number: 4, event: 'backup_restored', actor, details: { file: join(directory, 'copy.db'), tokens: 'ended' } },
    ])
    expect(await audit('verify', '--expect', anchor)).toMatchObject({ code: 0 })
    expect((await holdfast(directory, 'client', 'list', '--json')).out).not.toContain('till')
    expect(await holdfast(directory, 'restore', 'copy.db', '--keep-tokens')).toMatchObject({ code: 0 })
    expect(await events('--event', 'backup_restored')).toEqual([
      [4, 'backup_restored'],
      [5, 'backup_restored'],
    ])
    expect(await audit('verify')).toMatchObject({ code: 0 })
  })

  it('[F08] begins at the backup where the database that is replaced has gone', async () => {
    await add('shop')
    await holdfast(directory, 'backup', 'copy.db')
    await add('till')
    rmSync(join(directory, 'holdfast.db'))
    expect(await holdfast(directory, 'restore', 'copy.db')).toMatchObject({ code: 0 })
    expect(await events()).toEqual([
      [1, 'client_added'],
      [2, 'backup_restored'],
    ])
    expect(await audit('verify')).toMatchObject({ code: 0 })
  })

  it('[F08] of another database is not mixed with it', async () => {
    await add('shop')
    await holdfast(directory, 'backup', 'copy.db')
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(directory, `holdfast.db${suffix}`), { force: true })
    for (const id of ['page', 'till', 'other']) await add(id)
    expect(await holdfast(directory, 'restore', 'copy.db')).toMatchObject({ code: 0 })
    expect(await events()).toEqual([
      [1, 'client_added'],
      [2, 'backup_restored'],
    ])
    expect(await audit('verify')).toMatchObject({ code: 0 })
  })

  it('[F08] leaves no copy that it does not know of', async () => {
    await add('shop')
    run("update audit_head set mac = 'x'")
    expect(await holdfast(directory, 'backup', 'copy.db')).toMatchObject({ code: 69 })
    expect(existsSync(join(directory, 'copy.db'))).toBe(false)
  })

  it('has no secret in it', async () => {
    const { out } = await holdfast(directory, 'client', 'add', 'shop', '--scope', 'api1', '--json')
    const { client_secret } = JSON.parse(out)
    writeFileSync(join(directory, 'chosen'), 'correct horse battery')
    await holdfast(directory, 'client', 'edit', 'shop', '--secret-file', 'chosen')
    const { out: log } = await audit('export')
    expect(log).not.toContain(client_secret)
    expect(log).not.toMatch(/correct horse|argon2|sha256:/)
  })
})
