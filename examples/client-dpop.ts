// A client without a certificate: its key signs a proof for each request, and the token is bound to that key.
// Start the servers first: npm run dev. Then: npx node examples/client-dpop.ts
import { readFile } from 'node:fs/promises'
import { createClient } from '@holdfast/pop/client/node'

const { ISSUER = 'https://localhost:5001', API = 'https://localhost:5003' } = process.env
const ca = await readFile('.holdfast/tls/ca.pem', 'utf8')

await using client = createClient({
  issuer: ISSUER,
  client_id: 'client',
  client_secret: 'secret',
  scope: 'api1',
  binding: 'dpop',
  ca,
})

const { token_type, confirmation } = await client.token()
console.log('token', token_type, confirmation?.jkt)

const response = await client.fetch(`${API}/identity`)
console.log(response.status, await response.text())
if (!response.ok) process.exitCode = 1
