import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { MutualTls } from '@holdfast/pop/client/node'
import {
  type CertificatePair,
  createClientCertificate,
  createTestProofKey,
  issueCertificate,
  type ListeningIssuer,
  signProof,
  startTestIssuer,
  type TestProofKey,
} from '@holdfast/pop/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const audience = 'https://localhost:5003'
const directory = mkdtempSync(join(tmpdir(), 'holdfast-examples-'))
const running: ChildProcess[] = []
let issuer: ListeningIssuer
let server: CertificatePair
let own: CertificatePair
let other: CertificatePair

beforeAll(async () => {
  issuer = await startTestIssuer({ audience })
  server = await issueCertificate({ subject: 'localhost', keyType: 'P-256', dns: ['localhost'] })
  own = await createClientCertificate({ name: 'client' })
  other = await createClientCertificate({ name: 'client' })
  writeFileSync(join(directory, 'server.pem'), server.certificate)
  writeFileSync(join(directory, 'server.key'), server.key)
  writeFileSync(join(directory, 'ca.pem'), issuer.ca)
})

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
})

afterAll(async () => {
  await issuer.close()
  rmSync(directory, { recursive: true, force: true })
})

describe.each(['api-node', 'api-express', 'api-fastify'])('the example %s', (name) => {
  it('admits the certificate of the token, and refuses another and none', async () => {
    const api = await start(name)
    const cnf = { 'x5t#S256': own.thumbprint }
    const authorization = `Bearer ${issuer.accessToken({ claims: { cnf } })}`
    expect(await call(api, authorization, own)).toEqual({ status: 200, body: { hello: 'client', scope: ['api1'] } })
    for (const certificate of [other, undefined]) {
      expect(await call(api, authorization, certificate)).toMatchObject({
        status: 401,
        body: { error: 'invalid_token' },
      })
    }
  })
})

describe.each(['api-node', 'api-express', 'api-fastify'])('the example %s', (name) => {
  it('admits the proof of the DPoP key of the token, once, and refuses another and none', async () => {
    const [key, thief] = [createTestProofKey(), createTestProofKey()]
    const url = await start(name)
    const token = issuer.accessToken({ claims: { cnf: { jkt: key.thumbprint } } })
    const proofBy = (by: TestProofKey) =>
      signProof(by, { method: 'GET', url, accessToken: token, now: Math.floor(Date.now() / 1000) })
    const proof = proofBy(key)
    expect(await call(url, `DPoP ${token}`, undefined, proof)).toEqual({
      status: 200,
      body: { hello: 'client', scope: ['api1'] },
    })
    for (const wrong of [proof, proofBy(thief), undefined]) {
      expect(await call(url, `DPoP ${token}`, undefined, wrong)).toMatchObject({ status: 401 })
    }
    expect(await call(url, `Bearer ${token}`, undefined, proofBy(key))).toMatchObject({ status: 401 })
  })
})

async function start(name: string): Promise<string> {
  const port = await freePort()
  const env = {
    ...process.env,
    ISSUER: issuer.issuer,
    API: audience,
    PORT: String(port),
    TLS: join(directory, 'server'),
    NODE_EXTRA_CA_CERTS: join(directory, 'ca.pem'),
  }
  const child = spawn(process.execPath, [resolve(`examples/${name}.ts`)], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(child)
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`${name} ended with ${code}`)
    }),
  ])
  return `https://localhost:${port}/`
}

async function call(url: string, authorization: string, certificate: CertificatePair | undefined, dpop?: string) {
  const connection = new MutualTls({ certificate, ca: server.certificate })
  const response = await connection.fetch(url, { headers: { authorization, ...(dpop !== undefined && { dpop }) } })
  const answer = { status: response.status, body: await response.json() }
  await connection.close()
  return answer
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, 'localhost')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return address !== null && typeof address === 'object' ? address.port : 0
}
