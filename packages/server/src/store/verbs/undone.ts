/** Thrown by a verb that has found out that it must not happen: its changes are rolled back, and `answer` is the answer. */
export class Undone<Answer> extends Error {
  override readonly name = 'Undone'
  readonly answer: Answer

  constructor(answer: Answer) {
    super('The change was undone.')
    this.answer = answer
  }
}
