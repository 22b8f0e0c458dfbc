// A client whose certificate speaks for it: no secret. The files are read again before the certificate ends.
// Start the servers first: npm run dev. Then: npx node examples/client-certificate.ts
import { readFile } from 'node:fs/promises'
import { createClient, tlsClientAuth } from '@holdfast/pop/client/node'

const { ISSUER = 'https://localhost:5001', API = 'https://localhost:5003' } = process.env
const ca = await readFile('.holdfast/tls/ca.pem', 'utf8')

await using client = createClient({
  issuer: ISSUER,
  client_id: 'mtls',
  authentication: tlsClientAuth(),
  scope: 'api1',
  certificate: async () => ({
    certificate: await readFile('.holdfast/tls/mtls.pem', 'utf8'),
    key: await readFile('.holdfast/tls/mtls.key', 'utf8'),
  }),
  ca,
})

const response = await client.fetch(`${API}/identity`)
console.log(response.status, await response.text())
if (!response.ok) process.exitCode = 1
