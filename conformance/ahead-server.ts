import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { createAuthorizationServer } from 'holdfast'

/** For tests: a server as a process of its own, whose clock is so many seconds ahead. Prints what it reports. */
const [, , file = '', seconds = '0'] = process.argv

const say = (report: object) => console.log(JSON.stringify(report))
let ahead = Number(seconds)
// A clock that leaps to the other side of the time.
process.on('SIGUSR2', () => {
  ahead = -ahead
  say({ event: 'leapt', seen: String(ahead) })
})
const server = await createAuthorizationServer(JSON.parse(readFileSync(file, 'utf8')), {
  directory: dirname(file),
  now: () => Math.floor(Date.now() / 1000) + ahead,
  report: ({ level, event, reason, seen }) => say({ level, event, reason, seen }),
})
await server.listen()
say({ event: 'listening' })
process.once('SIGTERM', () => void server.close().then(() => process.exit(0)))
