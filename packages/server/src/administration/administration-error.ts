/** Why a command of the operator was not carried out. */
export type AdministrationProblem = 'invalid' | 'unknown' | 'taken' | 'read_only'

/** A command that was not carried out. Its message is for the operator: what is wrong and what to do. */
export class AdministrationError extends Error {
  override readonly name = 'AdministrationError'
  readonly problem: AdministrationProblem

  constructor(problem: AdministrationProblem, message: string) {
    super(message)
    this.problem = problem
  }
}
