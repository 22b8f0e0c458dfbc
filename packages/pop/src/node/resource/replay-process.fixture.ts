import process from 'node:process'
import { createSqliteReplay } from './sqlite-replay.ts'

/** Uses one proof as often as it is told, all at once, when it is told; says how often it was the first. */
const replay = createSqliteReplay(process.argv[2] ?? '')
process.on('message', ({ key, expires, now, times }: { key: string; expires: number; now: number; times: number }) => {
  const answers = Array.from({ length: times }, async () => await replay.use({ key, made: 0, expires }, now))
  void Promise.all(answers).then(
    (all) => process.send?.(all.filter(Boolean).length),
    (error: unknown) => process.send?.(String(error)),
  )
})
process.send?.('ready')
