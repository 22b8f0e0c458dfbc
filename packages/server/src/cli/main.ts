import { Command, CommanderError } from 'commander'
import { addCallCommand } from './call.ts'
import { addCertCommand } from './cert.ts'
import { addClientCommand } from './client.ts'
import { addConfigCommand } from './config.ts'
import { addDemoCommand } from './demo.ts'
import { addDevCommand } from './dev.ts'
import { exitCodes } from './exit.ts'
import { explain } from './explain.ts'
import { addInspectCommand } from './inspect.ts'
import { addKeyCommand } from './key.ts'
import { addServeCommand } from './serve.ts'
import { addStealCommand } from './steal.ts'
import { processTerminal, renderTable, type Terminal } from './terminal.ts'
import { addTokenCommand } from './token.ts'
import { version } from './version.ts'

const commands = [
  addDemoCommand,
  addDevCommand,
  addServeCommand,
  addTokenCommand,
  addCallCommand,
  addStealCommand,
  addInspectCommand,
  addCertCommand,
  addClientCommand,
  addKeyCommand,
  addConfigCommand,
]

/**
 * Runs the command line.
 * @param argv what follows the name of the program
 * @returns the exit code
 */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  const program = createProgram(terminal)
  try {
    await program.parseAsync(argv.length > 0 ? argv : ['--help'], { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const { code, message } = explain(error)
    terminal.note(`holdfast: ${message}`)
    return code
  }
}

function createProgram(terminal: Terminal): Command {
  const program = new Command('holdfast')
    .description('Access tokens that are bound to a key: a stolen one is worth nothing.')
    .version(version)
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for what can be written)')
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.note(text.trimEnd()),
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
    })
    .addHelpText('after', () => `\n${examples}\n\nExit codes:\n${codes(terminal.columns)}`)
  for (const add of commands) add(program, terminal)
  return program
}

const examples = `Start here:
  $ holdfast demo                             the whole story, on your screen
  $ holdfast dev                              a server and a sample API to try
  $ holdfast token --client client --secret secret --scope api1
  $ holdfast call https://localhost:5003/identity
  $ holdfast steal`

function codes(columns: number): string {
  return renderTable(
    exitCodes.map(([code, meaning]) => [String(code).padStart(2), meaning]),
    columns,
    '  ',
  )
}
