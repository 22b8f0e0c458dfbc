import { hash, randomBytes } from 'node:crypto'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { clientCertificateTlsOptions } from '@holdfast/pop/resource/node'
import { api, client, materials, serve } from '../target.ts'

const { certificate: cert, key, port, directory } = materials()
const database = new DatabaseSync(join(directory, 'bare.db'))
database.exec('pragma journal_mode = wal; create table token (hash text primary key not null, scope text, expires int)')
const insert = database.prepare('insert into token values (?, ?, ?)')
const select = database.prepare('select scope, expires from token where hash = ?')

/** The limit: hashes what it is sent, reads one row and answers, looks at nothing else. Makes tokens too, to be asked about. */
const server = createServer({ ...clientCertificateTlsOptions, cert, key }, (request, response) => {
  let body = ''
  request.setEncoding('latin1')
  request.on('data', (chunk: string) => {
    body += chunk
  })
  request.on('end', () => {
    const answer = JSON.stringify(
      request.url === '/token' ? issue() : introspect(body.slice(body.indexOf('token=') + 6)),
    )
    response.setHeader('content-type', 'application/json')
    response.setHeader('cache-control', 'no-store')
    response.end(answer)
  })
})
server.listen(port, '127.0.0.1', () => serve())

function issue(): object {
  const token = randomBytes(32).toString('base64url')
  insert.run(hash('sha256', token, 'base64url'), 'api1', Math.floor(Date.now() / 1000) + 3600)
  return { access_token: token }
}

function introspect(token: string): object {
  const row = select.get(hash('sha256', token, 'base64url'))
  if (!row) return { active: false }
  const { scope, expires: exp } = row
  return {
    active: true,
    client_id: client.client_id,
    sub: client.client_id,
    aud: api,
    scope,
    exp,
    token_type: 'Bearer',
  }
}
