import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { startDevelopment } from '../development/development.ts'
import { freePorts } from '../development/free-ports.ts'
import { type Tell, tellStory } from '../development/story.ts'
import { Failure } from './exit.ts'
import { explain } from './explain.ts'
import { programName } from './self.ts'
import { untilStopped } from './stopped.ts'
import { renderTable, type Terminal } from './terminal.ts'

/** `holdfast demo` */
export function defineDemo(command: Command, terminal: Terminal): void {
  command
    .option('--json', 'print one line of JSON for each step')
    .addHelpText(
      'after',
      '\nUses free ports and a folder of its own, which is removed.\nExit 0, or 1 with the step that failed.',
    )
    .action(async ({ json }: { json?: true }) => {
      const directory = await mkdtemp(join(tmpdir(), 'holdfast-demo-'))
      const stopped = untilStopped().then((signal) => {
        throw new Failure(1, `Stopped by ${signal}.`)
      })
      try {
        await Promise.race([play(directory, json, terminal), stopped])
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    })
}

async function play(directory: string, json: true | undefined, terminal: Terminal): Promise<void> {
  const { style, out } = terminal
  const began = performance.now()
  const tell = teller(json, terminal)
  const chapter = (title: string) => (json ? undefined : out(`\n${style.strong(title)}`))
  if (!json) out(style.strong('A token that only its owner can use'))
  const development = await tell('start', async () => {
    const result = await startDevelopment({ directory, ports: await freePorts() })
    const { issuer, mutualTls, api } = result.origins
    return { says: `issuer ${issuer}, mTLS :${new URL(mutualTls).port}, API :${new URL(api).port}`, result }
  })
  try {
    await tellStory(development, { chapter, tell })
  } finally {
    await development.close()
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  if (!json) out(`\n${style.good('Done')} in ${seconds} s. To try it yourself: ${programName()} dev`)
}

function teller(json: true | undefined, { style, out, columns }: Terminal): Tell {
  const print = (title: string, passed: boolean, says: string) => {
    const mark = passed ? style.good('ok') : style.bad('FAILED')
    out(
      json
        ? JSON.stringify({ step: title, passed, says })
        : renderTable([[mark, title.padEnd(11), says]], columns, '  '),
    )
  }
  return async (title, step) => {
    try {
      const { says, result } = await step()
      print(title, true, says)
      return result
    } catch (error) {
      const { code, message } = explain(error)
      print(title, false, code === 70 && error instanceof Error ? error.message : message)
      throw new Failure(1, `The demo failed at: ${title}`, error)
    }
  }
}
