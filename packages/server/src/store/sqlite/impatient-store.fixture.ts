import { Kysely } from 'kysely'
import type { Store } from '../../ports/store.ts'
import { assembleStore } from '../assemble.ts'
import { createPrivateFile } from '../private-file.ts'
import type { Schema } from '../schema.ts'
import type { ChangeName } from '../verbs.ts'
import { openDatabase } from './database.ts'
import { createSqliteDialect } from './dialect.ts'
import { runGroup } from './group.ts'

/** For tests: opens a store whose COMMIT ends before the disk has it (`synchronous = normal`). */
export async function openImpatientStore(file: string): Promise<Store> {
  createPrivateFile(file)
  const database = await openDatabase(file)
  database.exec('pragma synchronous = normal')
  const db = new Kysely<Schema>({ dialect: createSqliteDialect(database) })
  let before: Promise<unknown> = Promise.resolve()
  const change = (verb: ChangeName, data: unknown): Promise<unknown> => {
    const made = before.then(() => runGroup(database, db, [{ verb, data }]))
    before = made
    return made.then((outcome) => {
      const [first] = 'outcomes' in outcome ? outcome.outcomes : []
      if (!first || !('answer' in first)) throw new Error('The change failed.')
      return first.answer
    })
  }
  const read = () => Promise.reject(new Error('It is only written to.'))
  return assembleStore({ change, read }, { watch() {}, close: async () => database.close() })
}
