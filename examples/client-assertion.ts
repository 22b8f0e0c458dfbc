// A client that authenticates with a signed assertion. Its certificate is made at the first call and only binds tokens.
// Start the servers first: npm run dev. Then: npx node examples/client-assertion.ts
import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createClient, privateKeyJwt } from '@holdfast/pop/client/node'

const { ISSUER = 'https://localhost:5001', API = 'https://localhost:5003' } = process.env
const ca = await readFile('.holdfast/tls/ca.pem', 'utf8')
const key = createPrivateKey(await readFile('.holdfast/assertion.key', 'utf8'))

await using client = createClient({
  issuer: ISSUER,
  client_id: 'assertion',
  authentication: privateKeyJwt({ key, alg: 'ES256' }),
  scope: 'api1',
  ca,
})

const response = await client.fetch(`${API}/identity`)
console.log(response.status, await response.text())
if (!response.ok) process.exitCode = 1
