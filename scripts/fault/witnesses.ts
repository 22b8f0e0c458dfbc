import { DatabaseSync } from 'node:sqlite'
import type { Witness } from '../../packages/server/src/store/history.fixture.ts'
import { hashOf, verifier } from './families.ts'
import type { Load } from './load.ts'
import type { Victim } from './victim.ts'

/** The running server: it introspects, and is shown once more what was used up. */
export function askServer(victim: Victim, { secrets, doubt }: Pick<Load, 'secrets' | 'doubt'>): Witness {
  const answered = async (path: string, form: Readonly<Record<string, string>>) => {
    const { status, json } = await victim.post(path, form)
    if (status >= 500 || status === 429) throw new Error(`The server does not answer the checker: ${status}`)
    return { isDone: status === 200, json }
  }
  return {
    async isThere(key) {
      const [kind, name = ''] = key.split(' ')
      if (kind === 'client') {
        const client = { client_id: name, client_secret: secrets.get(name) ?? '' }
        return (await answered('/token', { ...client, grant_type: 'client_credentials' })).isDone
      }
      const asking = kind === 'token' ? { client_id: 'api1', client_secret: 'secret' } : undefined
      // Nobody can ask about a refresh token without using it: the database is asked at the end.
      if (!asking) throw new Error(`The server cannot be asked about a ${kind}.`)
      return (await answered('/introspect', { ...asking, token: name })).json.active === true
    },
    async isUsable(key) {
      const [kind, name = ''] = key.split(' ')
      doubt(key)
      const form: Readonly<Record<string, string>> =
        kind === 'refresh'
          ? { grant_type: 'refresh_token', refresh_token: name }
          : kind === 'code'
            ? { grant_type: 'authorization_code', code: name, code_verifier: verifier }
            : { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: name }
      return (await answered('/token', { client_id: 'native', ...form })).isDone
    },
  }
}

/** The database file itself, of a server that does not run. */
export interface DatabaseWitness extends Witness {
  /** What is wrong whatever was asked: damage, and families with more than one refresh token that lives. */
  readonly damage: () => readonly string[]
  readonly close: () => void
}

/** Reads the file by statements of its own: none of the store's. */
export function askDatabase(file: string): DatabaseWitness {
  const database = new DatabaseSync(file)
  const has = (sql: string) => {
    const statement = database.prepare(sql)
    return (key: string) => statement.get(key) !== undefined
  }
  const standing = 'join "authorization" a on a.id = authorization_id and a.revoked is null'
  const there: Readonly<Record<string, (name: string) => boolean>> = {
    token: has('select 1 from reference_token where hash = ?'),
    refresh: has(`select 1 from refresh_token r ${standing} where r.hash = ?`),
    client: has(
      `select 1 from client where client_id = ? and coalesce(json_extract(registration, '$.disabled'), 0) = 0`,
    ),
  }
  const usable: Readonly<Record<string, (name: string) => boolean>> = {
    refresh: has(`select 1 from refresh_token r ${standing} where r.hash = ? and r.replaced is null`),
    code: has(`select 1 from code c ${standing} where c.hash = ? and c.redeemed is null`),
    device: has(`select 1 from device_authorization where hash = ? and stage = 'approved'`),
  }
  const ask = async (questions: typeof there, key: string): Promise<boolean> => {
    const [kind = '', name = ''] = key.split(' ')
    const question = questions[kind]
    if (!question) throw new Error(`The database cannot be asked about a ${kind}.`)
    return question(kind === 'client' ? name : hashOf(name))
  }
  return {
    isThere: (key) => ask(there, key),
    isUsable: (key) => ask(usable, key),
    damage() {
      const sound = database.prepare('pragma integrity_check').all()
      const twice = database
        .prepare(
          `select authorization_id as id from refresh_token r ${standing} where r.replaced is null group by id having count(*) > 1`,
        )
        .all()
      return [
        ...sound.flatMap((row) => (row.integrity_check === 'ok' ? [] : [`damaged: ${row.integrity_check}`])),
        ...twice.map(({ id }) => `S2: ${id} has more than one refresh token that lives`),
      ]
    },
    close: () => database.close(),
  }
}
