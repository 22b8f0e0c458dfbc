import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { createSqliteReplay, type SqliteReplay } from './sqlite-replay.ts'

const now = 1_800_000_000
const directory = mkdtempSync(join(tmpdir(), 'holdfast-replay-'))
const opened: SqliteReplay[] = []
const children: ChildProcess[] = []
let files = 0

afterEach(async () => {
  for (const replay of opened.splice(0)) replay.close()
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

function newFile(): string {
  return join(directory, `replay-${files++}.db`)
}

function open(file: string): SqliteReplay {
  const replay = createSqliteReplay(file)
  opened.push(replay)
  return replay
}

function rowsOf(file: string): unknown {
  const database = new DatabaseSync(file, { readOnly: true })
  const { count } = database.prepare('select count(*) as count from proof_use').get() ?? {}
  database.close()
  return count
}

describe('RFC 9449 §11.1 a replay memory in an SQLite file', () => {
  it('takes each use once', async () => {
    const replay = open(newFile())
    expect(await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(true)
    expect(await replay.use({ key: 'b', made: 0, expires: now + 60 }, now)).toBe(true)
    expect(await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(false)
  })

  it('also where policies give one proof two ends', async () => {
    const replay = open(newFile())
    expect(await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(true)
    expect(await replay.use({ key: 'a', made: 0, expires: now + 300 }, now)).toBe(false)
  })

  it('is shared by all who have the file open, and outlives them', async () => {
    const file = newFile()
    const [first, second] = [open(file), open(file)]
    expect(await first.use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(true)
    expect(await second.use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(false)
    first.close()
    second.close()
    expect(await open(file).use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(false)
  })

  it('remembers a use in its last second, and forgets it in the next one', async () => {
    const file = newFile()
    const replay = open(file)
    await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)
    await replay.use({ key: 'b', made: 0, expires: now + 120 }, now + 60)
    expect(await replay.use({ key: 'a', made: 0, expires: now + 60 }, now + 60)).toBe(false)
    await replay.use({ key: 'c', made: 0, expires: now + 121 }, now + 61)
    expect(rowsOf(file)).toBe(2)
  })

  it('takes none twice when the clock leaps ahead and is put back', async () => {
    const replay = open(newFile())
    const use = { key: 'a', made: 0, expires: now + 60 }
    await replay.use(use, now)
    await replay.use({ key: 'b', made: 0, expires: now + 3660 }, now + 3600)
    expect(await replay.use(use, now + 1)).toBe(false)
  })

  it('forgets many a few at a time', async () => {
    const file = newFile()
    const replay = open(file)
    for (let i = 0; i < 300; i++) await replay.use({ key: `old ${i}`, expires: now, made: 0 }, now)
    const left = []
    for (let i = 0; i < 4; i++) {
      await replay.use({ key: `new ${i}`, expires: now + 60, made: 0 }, now + 1)
      left.push(rowsOf(file))
    }
    expect(left).toEqual([173, 46, 3, 4])
  })

  it('one proof, 32 times at once in each of two processes: exactly one is the first', {
    timeout: 20_000,
  }, async () => {
    const file = newFile()
    const both = await Promise.all([startProcess(file), startProcess(file)])
    for (let round = 0; round < 10; round++) {
      const answers = both.map((child) => answerOf(child))
      for (const child of both) child.send({ key: `round ${round}`, expires: now + 60, now, times: 32 })
      expect((await Promise.all(answers)).toSorted()).toEqual([0, 1])
    }
  })

  it('a process that is killed has forgotten nothing', { timeout: 20_000 }, async () => {
    const file = newFile()
    const child = await startProcess(file)
    child.send({ key: 'a', made: 0, expires: now + 60, now, times: 1 })
    expect(await answerOf(child)).toBe(1)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await open(file).use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(false)
  })
})

describe('an SQLite file that cannot be had', () => {
  it('waits a moment for another process, and for nobody else meanwhile', async () => {
    const file = newFile()
    const replay = open(file)
    const other = new DatabaseSync(file)
    other.exec('begin immediate')
    const waiting = Promise.all(
      [1, 2, 3].map(async (i) => await replay.use({ key: `${i}`, expires: now + 60, made: 0 }, now)),
    )
    const begun = performance.now()
    await pause(30)
    expect(performance.now() - begun).toBeLessThan(150)
    other.exec('commit')
    expect(await waiting).toEqual([true, true, true])
    other.close()
  })

  it('throws when the other keeps it, so that nobody passes', async () => {
    const file = newFile()
    const replay = open(file)
    const other = new DatabaseSync(file)
    other.exec('begin immediate')
    await expect(async () => await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)).rejects.toThrow(/locked/)
    other.exec('rollback')
    other.close()
    expect(await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)).toBe(true)
  })

  it('throws when it is closed, or no database, or a folder', async () => {
    const file = newFile()
    const replay = open(file)
    replay.close()
    replay.close()
    await expect(async () => await replay.use({ key: 'a', made: 0, expires: now + 60 }, now)).rejects.toThrow()
    const text = newFile()
    writeFileSync(text, 'no database, but long enough to be looked at as one '.repeat(40))
    expect(() => createSqliteReplay(text)).toThrow(/cannot be opened/)
    expect(() => createSqliteReplay(tmpdir())).toThrow()
  })
})

async function startProcess(file: string): Promise<ChildProcess> {
  const child = fork(new URL('./replay-process.fixture.ts', import.meta.url), [file])
  children.push(child)
  await once(child, 'message')
  return child
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const [answer] = await once(child, 'message')
  return answer
}
