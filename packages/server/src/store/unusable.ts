/** A database that cannot be opened as it is: one sentence that says what is wrong and what to do. */
export class StoreUnusable extends Error {
  override readonly name = 'StoreUnusable'
}

/** One whose server does not answer: another time it may. */
export class StoreAway extends StoreUnusable {}
