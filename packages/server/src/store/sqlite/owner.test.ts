import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Child, runInChild } from '../child-process.fixture.ts'
import { temporaryFile } from '../temporary-store.fixture.ts'
import { acquireOwnership, StoreOwned } from './owner.ts'

/** Says `owner`, or the pid of who it is, and stays until its input ends. */
function contender(file: string): Child {
  const module = JSON.stringify(new URL('./owner.ts', import.meta.url))
  return runInChild(
    onTestFinished,
    `const { acquireOwnership } = await import(${module})
     globalThis.ownership = await acquireOwnership(${JSON.stringify(file)}).catch(({ pid }) => ({ pid }))
     console.log(globalThis.ownership.pid ?? 'owner')
     process.stdin.resume()`,
  )
}

describe('the owner of a database', () => {
  it('is this process once it has acquired it', async () => {
    const file = temporaryFile(onTestFinished)
    const ownership = await acquireOwnership(file)
    onTestFinished(() => ownership.release())
    expect(existsSync(`${file}.pid`)).toBe(true)
  })

  it('refuses the same process a second time', async () => {
    const file = temporaryFile(onTestFinished)
    const ownership = await acquireOwnership(file)
    onTestFinished(() => ownership.release())
    await expect(acquireOwnership(file)).rejects.toMatchObject({ name: 'StoreOwned', pid: process.pid })
  })

  it('still refuses another process after it has refused its own', async () => {
    const file = temporaryFile(onTestFinished)
    const ownership = await acquireOwnership(file)
    onTestFinished(() => ownership.release())
    await expect(acquireOwnership(file)).rejects.toBeInstanceOf(StoreOwned)
    expect(await contender(file).line()).toBe(String(process.pid))
  })

  it('is named to a second process', async () => {
    const file = temporaryFile(onTestFinished)
    const owner = contender(file)
    expect(await owner.line()).toBe('owner')
    expect(await contender(file).line()).toBe(String(owner.process.pid))
  })

  it('gives way when it releases', async () => {
    const file = temporaryFile(onTestFinished)
    const ownership = await acquireOwnership(file)
    ownership.release()
    expect(await contender(file).line()).toBe('owner')
  })

  it('gives way when it is killed, and the stale note misleads nobody', async () => {
    const file = temporaryFile(onTestFinished)
    const owner = contender(file)
    await owner.line()
    await owner.kill()
    expect(existsSync(`${file}.pid`)).toBe(true)
    const ownership = await acquireOwnership(file)
    onTestFinished(() => ownership.release())
    await expect(acquireOwnership(file)).rejects.toMatchObject({ pid: process.pid })
  })

  it('is whoever has the lock, though a stale note names a process that lives', async () => {
    const file = temporaryFile(onTestFinished)
    writeFileSync(`${file}.pid`, `${process.ppid}\n`)
    const ownership = await acquireOwnership(file)
    onTestFinished(() => ownership.release())
    expect(readFileSync(`${file}.pid`, 'utf8')).toBe(`${process.pid}\n`)
  })

  it('of a copy is another than that of the original', async () => {
    const file = temporaryFile(onTestFinished)
    const ownership = await acquireOwnership(file)
    onTestFinished(() => ownership.release())
    const folder = join(dirname(file), 'copy')
    mkdirSync(folder)
    execFileSync('cp', [`${file}.owner`, `${file}.pid`, folder])
    expect(await contender(join(folder, basename(file))).line()).toBe('owner')
  })

  it('is the same whatever link leads to the database', async () => {
    const file = temporaryFile(onTestFinished)
    writeFileSync(file, '')
    const folder = join(dirname(file), 'elsewhere')
    mkdirSync(folder)
    symlinkSync(file, join(folder, 'link.db'))
    symlinkSync(dirname(file), join(folder, 'folder'))
    const ownership = await acquireOwnership(file)
    onTestFinished(() => ownership.release())
    expect(await contender(join(folder, 'link.db')).line()).toBe(String(process.pid))
    expect(await contender(join(folder, 'folder', basename(file))).line()).toBe(String(process.pid))
  })

  it('is not named when its note is nonsense', async () => {
    const file = temporaryFile(onTestFinished)
    const ownership = await acquireOwnership(file)
    onTestFinished(() => ownership.release())
    writeFileSync(`${file}.pid`, 'nobody')
    await expect(acquireOwnership(file)).rejects.toMatchObject({ name: 'StoreOwned', pid: undefined })
  })

  it('is exactly one of those that start at the same time', async () => {
    const file = temporaryFile(onTestFinished)
    for (let round = 0; round < 3; round++) {
      const contenders = Array.from({ length: 6 }, () => contender(file))
      const said = await Promise.all(contenders.map((each) => each.line()))
      const owners = contenders.filter((_, index) => said[index] === 'owner')
      expect(owners).toHaveLength(1)
      expect(new Set(said)).toEqual(new Set(['owner', String(owners[0]?.process.pid)]))
      await Promise.all(contenders.map((each) => each.kill()))
    }
  })
})
