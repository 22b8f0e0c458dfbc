import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Report } from '../ports/report.ts'
import { freeBase, holdfast, origin, start, stop } from './command-line.fixture.ts'
import { createLog } from './log.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-log-'))
const home = process.cwd()
afterAll(() => {
  process.chdir(home)
  rmSync(directory, { recursive: true, force: true })
})

/** Logs lines, a thousand in each turn of the event loop, and says on standard error how that went. */
const chatter = `
  import { createLog } from ${JSON.stringify(new URL('log.ts', import.meta.url))}
  const log = createLog({ level: 'info', requests: 'all' })
  const turns = { little: 5, crash: 0 }[process.argv[1]] ?? 50
  let slowest = 0
  for (let turn = 0; turn < turns; turn++) {
    const began = performance.now()
    for (let line = 0; line < 1000; line++) log.report({ level: 'info', event: 'answered', seen: 'x'.repeat(100) })
    await new Promise((resolve) => setTimeout(resolve, 5))
    slowest = Math.max(slowest, performance.now() - began)
  }
  process.stderr.write(JSON.stringify({ slowest, waiting: process.stdout.writableLength, lost: log.lost() }))
  if (process.argv[1] === 'crash') {
    log.report({ level: 'info', event: 'last' })
    throw new Error('A defect.')
  }
  if (process.argv[1] === 'resume') {
    await new Promise((resolve) => process.stdin.once('data', resolve))
    while (process.stdout.writableLength > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    log.report({ level: 'info', event: 'again' })
    process.stdin.destroy()
  }
  log.end()`

function chat(stdout: 'pipe' | number, ...args: string[]): ChildProcess {
  const options: SpawnOptions = { stdio: ['pipe', stdout, 'pipe'], env: { PATH: process.env.PATH } }
  const child = spawn(process.execPath, ['--input-type=module', '-e', chatter, ...args], options)
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function told(child: ChildProcess): Promise<Record<'slowest' | 'waiting' | 'lost', number>> {
  const [said] = await once(child.stderr as NodeJS.ReadableStream, 'data')
  return JSON.parse(String(said))
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}

describe('[F31] a log', () => {
  it('that is read has every line, the last one too', async () => {
    const child = chat('pipe', 'little')
    const lines = linesOf(child)
    expect(await ended(child)).toBe(0)
    expect((await lines).length).toBe(5000)
  })

  it('of a process that ends by a defect has its last line', async () => {
    const child = chat('pipe', 'crash')
    const lines = await linesOf(child)
    expect(await ended(child)).toBe(1)
    expect(lines.map(({ event }) => event)).toEqual(['last'])
  })

  it('that nobody reads stops nothing, keeps a bounded part, and lets the process end', async () => {
    const child = chat('pipe')
    const { slowest, waiting } = await told(child)
    expect(slowest).toBeLessThan(5000)
    expect(waiting).toBeGreaterThan(100_000)
    expect(waiting).toBeLessThan(2_000_000)
    expect(await ended(child)).toBe(0)
  })

  it('that is read again says how many lines were lost', async () => {
    const child = chat('pipe', 'resume')
    await told(child)
    const reading = linesOf(child)
    child.stdin?.end('go on')
    const lines = await reading
    const lost = lines.filter(({ event }) => event === 'log_lines_lost')
    expect(lines.at(-1)?.event).toBe('again')
    expect(lost).toHaveLength(1)
    expect(Number(lost[0]?.seen) + lines.length - 2).toBe(50_000)
  })

  it('whose reader has gone stops nothing', async () => {
    const child = chat('pipe')
    child.stdout?.destroy()
    expect(await ended(child)).toBe(0)
  })

  it('on a full disk stops nothing', async () => {
    const full = openSync('/dev/full', 'w')
    onTestFinished(() => closeSync(full))
    expect(await ended(chat(full))).toBe(0)
  })

  it('in a file has every line', async () => {
    const file = join(directory, 'log')
    const descriptor = openSync(file, 'w')
    onTestFinished(() => closeSync(descriptor))
    expect(await ended(chat(descriptor))).toBe(0)
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(50_001)
  })
})

describe('[F31] lines of a log', () => {
  it.each([
    ['a terminal takes for a command', '\u009b2J'],
    ['ends a line for some', '\u2028'],
    ['turns what follows around', '\u202e'],
    ['begins a new line', '\n{"event":"forged"}'],
  ])('have nothing as it is that %s', (_, made) => {
    const text = written({ seen: made })
    expect(text.trimEnd()).toMatch(/^[ -~]+$/)
    expect(JSON.parse(text).seen).toBe(made)
  })

  it('tell the first of several failures, and end where causes go round', () => {
    const several = new AggregateError([new Error('one'), new Error('two')])
    const round = new Error('outer')
    round.cause = round
    expect(JSON.parse(written({ cause: several })).cause).toBe('AggregateError:  <- Error: one')
    expect(JSON.parse(written({ cause: round })).cause).toMatch(/^(Error: outer( <- )?){2,9}$/)
  })

  it.each(['seen', 'cause'])('are short, however long %s is', (member) => {
    expect(written({ [member]: 'x'.repeat(100_000) }).length).toBeLessThan(4096)
  })

  it('of several processes that share a pipe are whole, however slowly it is read', async () => {
    const several = 'for each in 1 2 3; do "$0" --input-type=module -e "$1" little & done; wait'
    const child = spawn('sh', ['-c', several, process.execPath, chatter], { stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    for await (const part of child.stdout.setEncoding('utf8')) {
      text += part
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const lines = text.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(3000)
    for (const line of lines) expect(JSON.parse(line).seen).toMatch(/^(x{100}|\d+)$/)
  })

  it('that were lost are counted, told or not', async () => {
    const child = chat('pipe', 'resume')
    const { lost } = await told(child)
    expect(lost).toBeGreaterThan(1000)
    child.stdin?.end('go on')
    const [said] = (await linesOf(child)).filter(({ event }) => event === 'log_lines_lost')
    // Those of its last turn were not given away yet when it was asked.
    expect(Number(said?.seen) - lost).toSatisfy((more: number) => more >= 0 && more <= 1000)
  })

  /** The line that one report makes. */
  function written(report: Partial<Report>): string {
    const lines: string[] = []
    const collecting = { write: (line: string) => void lines.push(line), takeLost: () => 0, lost: () => 0, end() {} }
    createLog({ level: 'info', requests: 'all' }, collecting).report({ level: 'info', event: 'refused', ...report })
    return lines.join('')
  }
})

describe('[F31] holdfast serve', () => {
  let base: number
  beforeAll(async () => {
    base = await freeBase()
    await holdfast(directory, 'cert', 'ca', '--name', 'as', '--out', 'as')
    const pair = { host: 'localhost', certificate: 'as.pem', key: 'as.key' }
    const settings = {
      issuer: origin(base + 1),
      listen: { public: { ...pair, port: base + 1 }, mutualTls: { ...pair, port: base + 2 } },
      operations: { port: base + 3 },
      apis: [{ identifier: 'https://api.example.com', scopes: ['api1'] }],
      clients: [{ client_id: 'client', client_secret: 'secret', scope: 'api1' }],
    }
    writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify(settings))
  })

  function askForToken(): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded' }
      const sent = request(
        {
          port: base + 1,
          host: 'localhost',
          path: '/token',
          method: 'POST',
          headers,
          rejectUnauthorized: false,
          agent: false,
        },
        (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        },
      )
      sent.on('error', reject)
      sent.end('grant_type=client_credentials&client_id=client&client_secret=secret&scope=api1')
    })
  }

  const answers = () => expect.poll(() => askForToken().catch(() => 0), { timeout: 20_000 }).toBe(200)

  it('goes on when the reader of its log has gone, counts what nobody took, and drains', async () => {
    const server = start(directory, 'serve')
    server.stdout?.destroy()
    await answers()
    await answers()
    const figures = async () => {
      await askForToken()
      return await (await fetch(`http://127.0.0.1:${base + 3}/metrics`)).text()
    }
    await expect.poll(figures, { timeout: 15_000 }).toMatch(/^holdfast_log_lines_lost_total [1-9]/m)
    expect(await stop(server)).toBe(0)
  })

  it('drains though nobody reads its log', async () => {
    const server = start(directory, 'serve')
    await answers()
    expect(await stop(server)).toBe(0)
  })

  it('writes one line for each request, declined or not', async () => {
    const server = start(directory, 'serve')
    const lines = linesOf(server)
    await answers()
    expect(await stop(server)).toBe(0)
    const requests = (await lines).filter(({ event }) => event === 'answered' || event === 'refused')
    expect(requests).toHaveLength(1)
    expect(requests[0]).toEqual({
      ...{ level: 30, time: expect.any(String), event: 'answered', client: 'client' },
      ...{ method: 'POST', path: '/token', status: 200, ms: expect.any(Number), address: expect.any(String) },
      ...{ grant: 'client_credentials', binding: 'none', format: 'jwt' },
    })
  })
})

interface Line {
  readonly event: string
  readonly seen?: string
}

async function linesOf({ stdout }: ChildProcess): Promise<readonly Line[]> {
  let text = ''
  stdout?.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  await once(stdout as NodeJS.ReadableStream, 'close')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}
