/** Collects an option that may be given several times. Unlike a list it leaves the argument after it alone. */
export function repeated(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
