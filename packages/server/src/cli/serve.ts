import type { Command } from 'commander'
import { createAuthorizationServer } from '../main.ts'
import { readFiles } from '../outbound/files.ts'
import type { Report } from '../ports/report.ts'
import { parseSettings, type Settings, type SettingsInput } from '../settings.ts'
import { Failure } from './exit.ts'
import { createLog, type Log } from './log.ts'
import { configOption, readSettingsFile } from './settings-file.ts'
import { untilStopped } from './stopped.ts'
import type { Terminal } from './terminal.ts'
import { answerSupervisor } from './worker-probes.ts'
import { isWorker, leaveWorkers, superviseWorkers } from './workers.ts'

/** `holdfast serve` */
export function defineServe(command: Command, _terminal: Terminal): void {
  command
    .option(...configOption)
    .option('--workers <count>', 'processes that share the ports; more than one needs store.postgres', '1')
    .option('--wait <seconds>', 'waits so long for a PostgreSQL that does not answer yet', '30')
    .addHelpText(
      'after',
      `
SIGTERM and SIGINT drain it: requests in flight finish, then it exits 0.
While it runs, \`holdfast client\` and \`holdfast key\` reach it through
holdfast.sock beside its database; with PostgreSQL they change the database.

  $ holdfast serve --config holdfast.yaml
  $ holdfast serve --config postgres.yaml --workers 4`,
    )
    .action(async ({ config, workers, wait }: { config?: string; workers: string; wait: string }) => {
      const { directory, written } = await readSettingsFile(config)
      const { log: logSettings, listen, store, operations } = readFiles(parseSettings(written), directory)
      const count = workerCount(workers, store)
      const patience = secondsOf(wait)
      const log = createLog(logSettings)
      try {
        if (count > 1 && !isWorker()) {
          await superviseWorkers(count, log.report, operations)
          log.report({ level: 'info', event: 'stopped' })
        } else {
          // as: parsed once above, and again by the server.
          await serve(written as SettingsInput, { directory, patience, log, at: originsOf(listen) })
        }
      } finally {
        log.end()
        leaveWorkers()
      }
    })
}

interface Serving {
  readonly directory: string
  readonly patience: number
  readonly log: Log
  /** Where it is reached, for the log. */
  readonly at: string
}

/** Until a signal comes, or the database fails. */
async function serve(written: SettingsInput, { directory, patience, log, at }: Serving): Promise<void> {
  const { failed, report } = watchStore(log.report)
  const server = await createAuthorizationServer(written, {
    directory,
    patience,
    report,
    lostLines: log.lost,
    ...(isWorker() && { supervised: answerSupervisor }),
  })
  try {
    const stopped = untilStopped()
    await server.listen()
    log.report({ level: 'info', event: 'listening', seen: at })
    const signal = await Promise.race([stopped, failed])
    log.report({ level: 'info', event: 'draining', seen: signal })
  } finally {
    await server.close()
  }
  log.report({ level: 'info', event: 'stopped' })
}

function originsOf({ public: open, mutualTls }: Settings['listen']): string {
  return [open, mutualTls].flatMap((each) => each?.origin ?? []).join(' ')
}

function secondsOf(given: string): number {
  const seconds = Number(given)
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 3600)
    throw new Failure(2, 'Write --wait in seconds, 0 to 3600.')
  return seconds
}

function workerCount(given: string, store: Settings['store']): number {
  const count = Number(given)
  if (!Number.isInteger(count) || count < 1 || count > 64) throw new Failure(2, 'Write --workers as a number, 1 to 64.')
  if (count > 1 && store.postgres === undefined)
    throw new Failure(78, '--workers: several processes cannot share an SQLite file. Set store.postgres.')
  return count
}

/** After `store_failed` nothing more can be promised: the process ends, and whoever supervises it starts another. */
function watchStore(log: (report: Report) => void) {
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => {})
  const report = (report: Report) => {
    log(report)
    if (report.event === 'store_failed')
      reject(new Failure(69, 'The database failed, and the server ends: the log says why. Start it again.'))
  }
  return { failed, report }
}
