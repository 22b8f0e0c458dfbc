import { createAuthorizationServer } from 'holdfast'
import { settingsOf } from '../settings.ts'
import { materials, serve } from '../target.ts'

const given = materials()
let offset = 0
const now = () => Math.floor(Date.now() / 1000) + offset
const server = await createAuthorizationServer(settingsOf(given), { directory: given.directory, now })
await server.listen()
serve({
  asked({ advance = 0 }) {
    offset += advance
  },
  stop: () => void server.close().then(() => process.exit(0)),
})
