import { Client } from 'pg'
import { expect, it } from 'vitest'
import { openPostgresStore } from '../packages/server/src/store/postgres.ts'
import { clientSchema } from '../packages/server/src/model/client.ts'
import { startPostgres } from './postgres-server.ts'
const use = (key: string) => ({ uses: [{ kind: 'proof', key, expires: 1000 }] }) as const
const client = clientSchema.parse({ client_id: 'client', token_endpoint_auth_method: 'none' })

it('survives a lost connection in the middle', async () => {
  const server = await startPostgres()
  const url = await server.createDatabase()
  const store = await openPostgresStore({ url, report: (r) => console.log(r.event, String(r.cause)) })
  const seen: unknown[] = []
  const h = (e: unknown) => seen.push(e)
  process.on('uncaughtException', h)
  const holder = new Client({ connectionString: url })
  holder.on('error', () => {})
  await holder.connect()
  await holder.query('begin')
  await holder.query("insert into single_use(kind,key,expires) values ('proof','x',1000)")
  const waiting = store.issue(use('x')).then((a) => a, (e) => e)
  await holder.query("lock table state")
  const waiting2 = store.insertClient(client).then((a) => a, (e) => e)
  await new Promise((r) => setTimeout(r, 300))
  await server.kill()
  console.log(await waiting, await waiting2)
  await new Promise((r) => setTimeout(r, 500))
  console.log('uncaught', seen)
  process.off('uncaughtException', h)
  await server.restart()
  // terminated between two statements of one transaction
  await store.close()
  await server.stop()
  expect(seen).toEqual([])
}, 60000)
