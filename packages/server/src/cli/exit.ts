/** What the exit codes mean. `holdfast --help` prints this table. */
export const exitCodes = [
  [0, 'done'],
  [1, 'refused, or failed: by the server, by the API, a theft succeeded, or the audit log was changed'],
  [2, 'the command line is wrong'],
  [66, 'a file cannot be read, or does not hold what it should'],
  [69, 'unavailable: no server there, or the port or the database is taken'],
  [70, 'a defect of Holdfast'],
  [78, 'the settings are wrong'],
] as const

/** An exit code. */
export type ExitCode = (typeof exitCodes)[number][0]

/** Ends a command: one clear sentence for people, and the exit code. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: ExitCode

  constructor(code: ExitCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
