import { type ChildProcess, spawnSync } from 'node:child_process'
import { hash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCertificateAuthority, createTestProofKey, issueCertificate, signProof } from '@holdfast/pop/testing'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { parse, stringify } from 'yaml'
import { type PostgresServer, startPostgres } from '../../../../conformance/postgres-server.ts'
import { requirePrograms } from '../../../../conformance/requires.ts'
import { freeBase, holdfast, origin, start, stop, untilPrints } from './command-line.fixture.ts'

const home = process.cwd()
const example = parse(readFileSync(new URL('../../../../examples/postgres.yaml', import.meta.url), 'utf8'))

requirePrograms('postgres')('holdfast serve with examples/postgres.yaml', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-'))
  let postgres: PostgresServer
  let base: number
  beforeAll(async () => {
    postgres = await startPostgres()
    base = await freeBase()
    const authority = await createCertificateAuthority({ name: 'Test', keyType: 'P-256' })
    const pair = await issueCertificate({
      subject: 'localhost',
      issuer: authority,
      keyType: 'P-256',
      dns: ['localhost'],
    })
    writeFileSync(join(directory, 'ca.pem'), authority.certificate)
    writeFileSync(join(directory, 'as.pem'), pair.certificate)
    writeFileSync(join(directory, 'as.key'), pair.key)
    writeFileSync(join(directory, 'postgres'), `${await postgres.createDatabase()}\n`)
    writeFileSync(join(directory, 'holdfast.key'), randomBytes(32).toString('base64url'))
  })
  afterAll(async () => {
    process.chdir(home)
    await postgres?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** The example with its files in this folder, on ports of its own. */
  function writeSettings(name: string, port: number, mutualTls: number, more: object = {}): void {
    const issuer = origin(base + 1)
    const pair = { host: 'localhost', certificate: 'as.pem', key: 'as.key' }
    const listen = {
      public: { ...pair, port, origin: issuer },
      mutualTls: { ...pair, port: mutualTls, origin: origin(base + 2) },
    }
    const files = { store: { postgres: 'postgres' }, keys: { encryptionKey: 'holdfast.key' } }
    writeFileSync(join(directory, name), stringify({ ...example, issuer, listen, ...files, ...more }))
  }

  async function serve(...args: string[]): Promise<ChildProcess> {
    const server = start(directory, 'serve', ...args)
    onTestFinished(async () => void (await stop(server)))
    await untilPrints(server, '"event":"listening"')
    return server
  }

  function askForToken(port: number, headers: Record<string, string> = {}): Promise<number> {
    return new Promise((resolve, reject) => {
      const ca = readFileSync(join(directory, 'ca.pem'))
      const type = { 'content-type': 'application/x-www-form-urlencoded' }
      const options = { port, host: 'localhost', path: '/token', method: 'POST', ca, agent: false as const }
      const sent = request({ ...options, headers: { ...type, ...headers } }, (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      sent.on('error', reject)
      sent.end('grant_type=client_credentials&client_id=client&client_secret=secret&scope=api1')
    })
  }

  function workersOf({ pid }: ChildProcess): readonly string[] {
    const listed = spawnSync('ps', ['--ppid', String(pid), '-o', 'pid='], { encoding: 'utf8' })
    return listed.stdout.split(/\s+/).filter(Boolean)
  }

  function proof(): string {
    const now = Math.floor(Date.now() / 1000)
    return signProof(createTestProofKey(), { method: 'POST', url: `${origin(base + 1)}/token`, now })
  }

  it('says the secret that its client has', () => {
    expect(example.clients[0].client_secret_hash).toBe(`sha256:${hash('sha256', 'secret', 'base64url')}`)
  })

  it('serves one issuer on two ports, and killing either loses nothing', async () => {
    writeSettings('one.yaml', base + 1, base + 2)
    writeSettings('other.yaml', base + 3, base + 4)
    const one = await serve('--config', 'one.yaml')
    await serve('--config', 'other.yaml')
    const used = proof()
    expect(await askForToken(base + 1, { dpop: used })).toBe(200)
    one.kill('SIGKILL')
    expect(await askForToken(base + 3, { dpop: used })).toBe(400)
    expect(await askForToken(base + 3, { dpop: proof() })).toBe(200)
  })

  it('is administered through the database, also while it runs', async () => {
    writeSettings('one.yaml', base + 1, base + 2)
    await serve('--config', 'one.yaml')
    const added = await holdfast(directory, 'client', 'add', 'late', '--scope', 'api1', '--config', 'one.yaml')
    expect(added.code).toBe(0)
    const { out } = await holdfast(directory, 'client', 'list', '--json', '--config', 'one.yaml')
    expect(JSON.parse(out).clients.map((each: { client_id: string }) => each.client_id)).toContain('late')
  })

  it('takes a proof once, whichever of its workers it comes to, and replaces one that ends', async () => {
    writeSettings('one.yaml', base + 1, base + 2)
    const server = await serve('--config', 'one.yaml', '--workers', '2')
    for (let round = 0; round < 3; round++) {
      const once = proof()
      const answers = await Promise.all(Array.from({ length: 32 }, () => askForToken(base + 1, { dpop: once })))
      expect(answers.filter((status) => status === 200)).toHaveLength(1)
    }
    const [first] = workersOf(server)
    process.kill(Number(first), 'SIGKILL')
    await expect.poll(() => workersOf(server).filter((pid) => pid !== first).length, { timeout: 10_000 }).toBe(2)
    await expect.poll(() => askForToken(base + 1).catch(() => 0), { timeout: 10_000 }).toBe(200)
    const workers = workersOf(server)
    expect(await stop(server)).toBe(0)
    for (const pid of workers) expect(() => process.kill(Number(pid), 0)).toThrow()
  })

  it('answers probes and figures for all of its workers, those that have ended too', async () => {
    const port = base + 4
    const ask = (path: string) => askOperations(port, path)
    writeSettings('one.yaml', base + 1, base + 2, { operations: { port } })
    const server = start(directory, 'serve', '--config', 'one.yaml', '--workers', '2')
    onTestFinished(async () => void (await stop(server)))
    await untilPrints(server, '"event":"listening"', 2)
    expect((await ask('/livez')).status).toBe(200)
    expect((await ask('/startupz')).status).toBe(200)
    expect(JSON.parse((await ask('/readyz')).text)).toEqual({
      ready: true,
      stage: 'serving',
      workers: { ready: 2, of: 2 },
      store: 'there',
    })
    const issued = async () => {
      const { text } = await ask('/metrics')
      const [, count] = /^holdfast_tokens_total\{binding="none",format="jwt"\} (\d+)$/m.exec(text) ?? []
      return Number(count)
    }
    for (let asked = 0; asked < 20; asked++) expect(await askForToken(base + 1)).toBe(200)
    expect(await issued()).toBe(20)
    const all = workersOf(server)
    process.kill(Number(all[0]), 'SIGKILL')
    await expect.poll(async () => JSON.parse((await ask('/readyz')).text).workers.ready).toBe(1)
    expect((await ask('/readyz')).status).toBe(200)
    expect(await issued()).toBe(20)
    await expect.poll(async () => JSON.parse((await ask('/readyz')).text).workers.ready, { timeout: 10_000 }).toBe(2)
    for (let asked = 0; asked < 20; asked++) expect(await askForToken(base + 1)).toBe(200)
    expect(await issued()).toBe(40)
    const { text } = await ask('/metrics')
    expect(text).toContain('holdfast_workers 2')
    expect(text).toMatch(/^holdfast_build_info\{version="[^"]+",node="[^"]+"\} 1$/m)
    for (const pid of workersOf(server)) process.kill(Number(pid), 'SIGSTOP')
    onTestFinished(() => {
      for (const pid of workersOf(server)) process.kill(Number(pid), 'SIGCONT')
    })
    expect((await ask('/readyz')).status).toBe(503)
    expect((await ask('/livez')).status).toBe(200)
    for (const pid of workersOf(server)) process.kill(Number(pid), 'SIGCONT')
  }, 60_000)

  it('waits for a database that is being started, and says so', async () => {
    writeSettings('one.yaml', base + 1, base + 2)
    await postgres.kill()
    const server = start(directory, 'serve', '--config', 'one.yaml')
    onTestFinished(async () => void (await stop(server)))
    await untilPrints(server, '"event":"store_awaited"')
    await postgres.restart()
    await untilPrints(server, '"event":"listening"')
    expect(await askForToken(base + 1)).toBe(200)
  })

  it('gives up on one that does not come, and exits 69', async () => {
    writeSettings('one.yaml', base + 1, base + 2)
    await postgres.kill()
    onTestFinished(() => postgres.restart())
    const { code, err } = await holdfast(directory, 'serve', '--config', 'one.yaml', '--wait', '1')
    expect([code, err]).toEqual([69, expect.stringMatching(/store\.postgres: .*ECONNREFUSED/)])
  })

  it('tries again where its workers cannot start', async () => {
    writeSettings('one.yaml', base + 1, base + 2)
    const settings = parse(readFileSync(join(directory, 'one.yaml'), 'utf8'))
    const store = { postgres: 'postgres://holdfast@127.0.0.1:1/none' }
    writeFileSync(join(directory, 'away.yaml'), stringify({ ...settings, store }))
    const server = start(directory, 'serve', '--config', 'away.yaml', '--workers', '2', '--wait', '0')
    onTestFinished(async () => void (await stop(server)))
    await untilPrints(server, '"event":"worker_ended"', 3)
  })

  it.each([
    ['several workers on SQLite', { store: { file: 'holdfast.db' } }, 78, /store\.postgres/],
    ['both databases', { store: { file: 'holdfast.db', postgres: 'postgres' } }, 78, /store\.file/],
    ['no encryption key', { keys: {} }, 78, /keys\.encryptionKey/],
    ['a file without an address', { store: { postgres: 'as.pem' } }, 78, /store\.postgres/],
  ])('refuses %s', async (_, change, code, says) => {
    writeSettings('one.yaml', base + 1, base + 2)
    const settings = parse(readFileSync(join(directory, 'one.yaml'), 'utf8'))
    writeFileSync(join(directory, 'wrong.yaml'), stringify({ ...settings, ...change }))
    const answer = await holdfast(directory, 'serve', '--config', 'wrong.yaml', '--workers', '2')
    expect(answer.code).toBe(code)
    expect(answer.err).toMatch(says)
  })
})

function askOperations(port: number, path: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (more: string) => {
        text += more
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    }).on('error', reject)
  })
}
