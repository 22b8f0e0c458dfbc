import type { Store } from '../../ports/store.ts'

/** The store, with something done around each of its verbs. */
export function aroundVerbs(
  { watch, close, ...verbs }: Store,
  around: <Answer>(verb: string, run: () => Promise<Answer>) => Promise<Answer>,
): Store {
  const wrapped: Record<string, unknown> = { watch, close }
  for (const [verb, run] of Object.entries<(data: never) => Promise<unknown>>(verbs))
    wrapped[verb] = (data: never) => around(verb, () => run(data))
  const whole: object = wrapped
  // as: each verb keeps its signature.
  return whole as Store
}
