// A client that makes its certificate on the fly, gets a token that is bound to it, and calls an API with both.
// Start the servers first: npm run dev. Then: npx node examples/client-on-the-fly.ts
import { readFile } from 'node:fs/promises'
import { createClient, createClientCertificate } from '@holdfast/pop/client/node'

const { ISSUER = 'https://localhost:5001', API = 'https://localhost:5003' } = process.env
const ca = await readFile('.holdfast/tls/ca.pem', 'utf8')

const certificate = await createClientCertificate({ name: 'client' })
await using client = createClient({
  issuer: ISSUER,
  client_id: 'client',
  client_secret: 'secret',
  scope: 'api1',
  certificate,
  ca,
})

const { confirmation } = await client.token()
console.log('certificate', certificate.thumbprint)
console.log('token      ', confirmation?.['x5t#S256'])

const response = await client.fetch(`${API}/identity`)
console.log(response.status, await response.text())
if (!response.ok) process.exitCode = 1
