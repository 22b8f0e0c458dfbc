import { Command, CommanderError } from 'commander'
import { version } from '../version.ts'
import { commands } from './commands.ts'
import { exitCodes } from './exit.ts'
import { processTerminal, renderTable, type Terminal } from './terminal.ts'

/**
 * Runs the command line.
 * @param argv what follows the name of the program
 * @returns the exit code
 */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  try {
    const program = await createProgram(argv[0] === 'help' ? argv[1] : argv[0], terminal)
    await program.parseAsync(argv.length > 0 ? argv : ['--help'], { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const { explain } = await import('./explain.ts')
    const { code, message } = explain(error)
    terminal.note(`holdfast: ${message}`)
    return code
  }
}

/** All commands by name, for the help; the one that was called in full. */
async function createProgram(called: string | undefined, terminal: Terminal): Promise<Command> {
  const program = new Command('holdfast')
    .description('Access tokens that are bound to a key: a stolen one is worth nothing.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'Print the help of a command.')
    .exitOverride()
    .configureHelp({ minWidthToWrap: 20 })
    .showHelpAfterError('(add --help to see what can be written)')
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.note(text.trimEnd()),
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
    })
    .addHelpText('after', () => `\n${examples}\n\nExit codes:\n${codes(terminal.columns)}`)
  for (const { name, does, load } of commands) {
    const command = program.command(name).description(does)
    if (name === called) (await load())(command, terminal)
  }
  return program
}

const examples = `Start here:
  $ holdfast demo                       the whole story, on your screen
  $ holdfast dev                        a server and a sample API; it prints what to try

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
