import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { openBrowser } from './browser.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-browser-'))
const before = process.env.PATH
afterEach(() => {
  process.env.PATH = before
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe.runIf(process.platform === 'linux')('opening the browser', () => {
  const address = 'https://as.example/authorize?a=1&b=$(touch%20x);c'

  it('hands the address over as it is', async () => {
    install('printf "%s" "$1" > "$0.seen"')
    await openBrowser(address)
    expect(readFileSync(join(directory, 'xdg-open.seen'), 'utf8')).toBe(address)
    expect(existsSync('x')).toBe(false)
  })

  it('says so when the program fails', async () => {
    install('exit 3')
    await expect(openBrowser(address)).rejects.toMatchObject({ reason: 'browser_unavailable' })
  })

  it('says so when there is no program', async () => {
    process.env.PATH = directory
    await expect(openBrowser(address)).rejects.toMatchObject({ reason: 'browser_unavailable' })
  })
})

/** Puts a program in the place of the system's. */
function install(script: string): void {
  const program = join(directory, 'xdg-open')
  writeFileSync(program, `#!/bin/sh\n${script}\n`)
  chmodSync(program, 0o700)
  process.env.PATH = `${directory}:${before}`
}
