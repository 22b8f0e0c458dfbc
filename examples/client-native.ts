// An application on this machine: somebody signs in through the browser, and the token is bound to a key that is kept.
// Start the servers first: npm run dev. Then: npx node examples/client-native.ts, and again: no browser this time.
import { readFile } from 'node:fs/promises'
import { keyFile, signIn } from '@holdfast/pop/client/node'

const { ISSUER = 'https://localhost:5001', API = 'https://localhost:5003', PASSPHRASE = 'correct horse' } = process.env

await using person = await signIn({
  issuer: ISSUER,
  client_id: 'native',
  scope: 'openid profile offline_access api1',
  ca: await readFile('.holdfast/tls/ca.pem', 'utf8'),
  keyStore: keyFile('.holdfast/native.key-file', { passphrase: PASSPHRASE }),
  ...(process.env.NO_BROWSER !== undefined && { open: (url: string) => console.log('open', url) }),
})

const { confirmation } = await person.token()
console.log('signed in', (await person.userinfo()).name)
console.log('token    ', confirmation?.['x5t#S256'])

const response = await person.fetch(`${API}/identity`)
console.log(response.status, await response.text())
if (!response.ok) process.exitCode = 1
