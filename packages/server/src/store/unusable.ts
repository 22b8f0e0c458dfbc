/** A database that cannot be opened as it is: one sentence that says what is wrong and what to do. */
export class StoreUnusable extends Error {
  override readonly name = 'StoreUnusable'
}
