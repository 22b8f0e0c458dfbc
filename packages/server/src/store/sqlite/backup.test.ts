import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runInChild } from '../child-process.fixture.ts'
import { openTemporaryStore, temporaryFile } from '../temporary-store.fixture.ts'
import { StoreUnusable } from '../unusable.ts'
import { backUp } from './backup.ts'
import { openSqliteStore } from './sqlite.ts'

const module = JSON.stringify(new URL('./backup.ts', import.meta.url))

/** What a process calls to change names of files is its death at the call of this number, counted from 1. */
const dying = `
  const { default: fs } = await import('node:fs')
  const { syncBuiltinESMExports } = await import('node:module')
  let calls = 0
  for (const name of ['linkSync', 'renameSync']) {
    const call = fs[name]
    fs[name] = (...given) => {
      if (++calls === Number(process.env.DIES_AT)) process.kill(process.pid, 'SIGKILL')
      return call(...given)
    }
  }
  syncBuiltinESMExports()`

/** More than any of them takes. */
const mostSteps = 30

/** Runs a call of `backup.ts` that dies at a step. @returns whether it came to its end */
async function runUntil(step: number, call: string): Promise<boolean> {
  const child = runInChild(
    onTestFinished,
    `const { backUp, restore } = await import(${module})
     ${dying}
     ${call}
     console.log('done')`,
    ['env', `DIES_AT=${step}`],
  )
  return (await child.lines()).includes('done')
}

/** A database whose last change is in its log only, as a server leaves it that is killed, and a copy from before. */
async function prepared(): Promise<{ readonly file: string; readonly copy: string }> {
  const file = temporaryFile(onTestFinished)
  const copy = `${dirname(file)}/copy.db`
  const { store } = await openTemporaryStore(onTestFinished, { file })
  await store.issue({ uses: [{ kind: 'assertion', key: 'early', expires: 4_000_000_000 }] })
  await backUp(file, copy)
  await store.issue({ uses: [{ kind: 'assertion', key: 'late', expires: 4_000_000_000 }] })
  await store.revokeJwt({ jti: 'late', expires: 4_000_000_000 })
  for (const suffix of ['', '-wal']) copyFileSync(file + suffix, `${dirname(file)}/killed.db${suffix}`)
  await store.close()
  return { file: `${dirname(file)}/killed.db`, copy }
}

/** What is in a database once a server has opened it: which one it is, and what was used. */
async function opened(file: string): Promise<object | string> {
  try {
    const store = await openSqliteStore({ file })
    const which = (await store.isJwtRevoked({ jti: 'late', issued: 4_000_000_000 })) ? 'before' : 'restored'
    const expires = 4_000_000_000
    const again = await Promise.all(
      ['early', 'late'].map((key) => store.issue({ uses: [{ kind: 'assertion', key, expires }] })),
    )
    await store.close()
    return { which, usable: again.filter(({ issued }) => issued).length }
  } catch (cause) {
    return cause instanceof Error ? cause.name : String(cause)
  }
}

describe('[F08] a restore that is killed', () => {
  it('leaves the database of before or the copy, at each of its steps, and nothing is used twice', {
    timeout: 120_000,
  }, async () => {
    const seen: (object | string)[] = []
    for (let step = 1, ended = false; !ended && step < mostSteps; step++) {
      const { file, copy } = await prepared()
      ended = await runUntil(step, `await restore('${copy}', '${file}', { aside: '.before-restore-1', end: 10 })`)
      seen.push(await opened(file))
    }
    expect(seen.length).toBeGreaterThan(4)
    expect(seen.filter((each) => typeof each === 'string')).toEqual([])
    expect(seen.at(0)).toEqual({ which: 'before', usable: 0 })
    expect(seen.at(-1)).toEqual({ which: 'restored', usable: 0 })
    expect(new Set(seen.map((each) => JSON.stringify(each))).size).toBe(2)
  })

  it('leaves a damaged database, none that a server would make anew, or the copy', { timeout: 120_000 }, async () => {
    const seen: (object | string)[] = []
    for (let step = 1, ended = false; !ended && step < mostSteps; step++) {
      const { file, copy } = await prepared()
      for (const suffix of ['', '-wal']) writeFileSync(file + suffix, 'damaged')
      ended = await runUntil(step, `await restore('${copy}', '${file}', { aside: '.before-restore-1', end: 10 })`)
      seen.push(`${existsSync(file) ? 'there' : 'gone'}: ${JSON.stringify(await opened(file))}`)
    }
    const restored = 'there: {"which":"restored","usable":1}'
    expect(new Set(seen)).toEqual(new Set(['there: "StoreUnusable"', 'gone: "StoreUnusable"', restored]))
    expect(seen.at(-1)).toBe(restored)
  })

  it('keeps what was replaced, whole', async () => {
    const { file, copy } = await prepared()
    expect(await runUntil(0, `await restore('${copy}', '${file}', { aside: '.before-restore-1', end: 10 })`)).toBe(true)
    expect(readdirSync(dirname(file)).filter((name) => name.startsWith(`${basename(file)}.before`))).toEqual([
      'killed.db.before-restore-1',
    ])
    expect(await opened(`${file}.before-restore-1`)).toEqual({ which: 'before', usable: 0 })
  })

  it('does not take the place of a database that another program reads', async () => {
    const { file, copy } = await prepared()
    const reader = new DatabaseSync(file)
    onTestFinished(() => reader.close())
    reader.exec('begin')
    reader.prepare('select * from client').all()
    const child = runInChild(
      onTestFinished,
      `const { restore } = await import(${module})
       await restore('${copy}', '${file}', { aside: '.before-restore-1' }).catch(({ name }) => console.log(name))`,
    )
    expect(await child.lines()).toEqual(['StoreUnusable'])
    reader.exec('rollback')
    expect(readdirSync(dirname(file)).some((name) => name.includes('before-restore'))).toBe(false)
  })
})

describe('[F08] a backup that is killed', () => {
  it('has its name only when it is whole', { timeout: 60_000 }, async () => {
    let made = 0
    for (let step = 1, ended = false; !ended && step < mostSteps; step++) {
      const { file } = await prepared()
      const target = `${dirname(file)}/target.db`
      ended = await runUntil(step, `await backUp('${file}', '${target}')`)
      if (!existsSync(target)) continue
      made++
      expect(await opened(target)).toEqual({ which: 'before', usable: 0 })
    }
    expect(made).toBeGreaterThan(0)
  })

  it('of what is no file is declined in a sentence', async () => {
    const folder = dirname(temporaryFile(onTestFinished))
    await expect(backUp(folder, `${folder}/copy.db`)).rejects.toThrow(StoreUnusable)
    expect(readdirSync(folder)).toEqual([])
  })

  it('is made again over what a killed one has left', async () => {
    const { file } = await prepared()
    const target = `${dirname(file)}/target.db`
    writeFileSync(`${target}.partial`, 'half')
    await backUp(file, target)
    expect(readFileSync(target).subarray(0, 15).toString()).toBe('SQLite format 3')
    expect(existsSync(`${target}.partial`)).toBe(false)
  })
})
