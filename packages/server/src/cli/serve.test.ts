import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freeBase, holdfast, origin, start, stop, untilPrints } from './command-line.fixture.ts'

const directories: string[] = []
const home = process.cwd()

afterAll(() => {
  process.chdir(home)
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

describe('holdfast serve', () => {
  const directory = newDirectory()

  beforeAll(async () => {
    await holdfast(directory, 'cert', 'ca', '--name', 'as', '--out', 'as')
  })

  const write = (base: number) => {
    const listener = (port: number) => ({ port, host: 'localhost', certificate: 'as.pem', key: 'as.key' })
    const settings = {
      issuer: origin(base + 1),
      listen: { public: listener(base + 1), mutualTls: listener(base + 2) },
      apis: [{ identifier: 'https://api.example.com', scopes: ['api1'] }],
      clients: [{ client_id: 'client', client_secret: 'secret', scope: 'api1' }],
    }
    writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify(settings))
  }

  it('logs JSON until SIGTERM, exits 0, and removes its socket', async () => {
    write(await freeBase())
    const server = start(directory, 'serve')
    await untilPrints(server, '"event":"listening"')
    expect(statSync(join(directory, 'holdfast.sock')).mode & 0o777).toBe(0o600)
    expect((await holdfast(directory, 'client', 'add', 'shop', '--scope', 'api1')).code).toBe(0)
    expect(await stop(server)).toBe(0)
    expect(readdirSync(directory)).not.toContain('holdfast.sock')
  })

  it('lets clients be managed without it too', async () => {
    const { code, out } = await holdfast(directory, 'client', 'list', '--json')
    expect(code).toBe(0)
    const listed = JSON.parse(out).clients.map((each: { client_id: string; readOnly: boolean }) => [
      each.client_id,
      each.readOnly,
    ])
    expect(listed).toEqual([
      ['client', true],
      ['shop', false],
    ])
  })
})

describe('holdfast demo', () => {
  it('tells the whole story and exits 0, leaving nothing behind', async () => {
    const directory = newDirectory()
    const { code, out } = await finished(start(directory, 'demo', '--json'))
    const steps = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(code).toBe(0)
    expect(steps.map(({ step }) => step)).toEqual([
      ...['start', 'certificate', 'token', 'cnf', 'thumbprint', 'call'],
      ...Array.from({ length: 6 }, () => 'theft'),
      ...['token', 'introspect', 'call', 'thefts', 'revoke'],
      ...['key', 'token', 'cnf', 'thumbprint', 'call', 'thefts'],
    ])
    expect(steps.every(({ passed }) => passed)).toBe(true)
    expect(readdirSync(directory)).toEqual([])
    expect(out).not.toContain('\u001b')
  })
})

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
  directories.push(directory)
  return directory
}

async function finished(child: ChildProcess) {
  let out = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  const [code] = await once(child, 'close')
  return { code: Number(code), out }
}
