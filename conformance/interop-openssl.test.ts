import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { claimsOf, type Harness, startServer } from './harness.ts'
import { requirePrograms } from './requires.ts'

const run = promisify(execFile)

requirePrograms('openssl', 'curl')('curl with certificates of openssl', () => {
  let server: Harness
  beforeAll(async () => {
    server = await startServer()
    writeFileSync(join(server.directory, 'ca.pem'), server.ca)
  })
  afterAll(() => server.close())

  const openssl = (...args: string[]) => run('openssl', args, { cwd: server.directory })

  const thumbprint = async (name: string) => {
    const { stdout } = await openssl('x509', '-in', `${name}.pem`, '-noout', '-fingerprint', '-sha256')
    return Buffer.from(stdout.split('=')[1]?.trim().replaceAll(':', '') ?? '', 'hex').toString('base64url')
  }

  const curl = async (name: string) => {
    const form = 'grant_type=client_credentials&client_id=client&client_secret=secret&scope=api1'
    const tls = [
      '--cacert',
      'ca.pem',
      '--cert',
      `${name}.pem`,
      '--key',
      `${name}.key`,
      '--resolve',
      `localhost:${server.mutualTlsPort}:127.0.0.1`,
    ]
    const { stdout } = await run(
      'curl',
      ['-sS', ...tls, '-d', form, `https://localhost:${server.mutualTlsPort}/token`],
      { cwd: server.directory },
    )
    return claimsOf(JSON.parse(stdout).access_token)
  }

  it('[RFC8705-3.1] binds to a self-signed one with CA:TRUE, as openssl req -x509 makes it', async () => {
    await openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=curl',
      '-days',
      '2',
      '-keyout',
      'ca-true.key',
      '-out',
      'ca-true.pem',
    )
    expect((await openssl('x509', '-in', 'ca-true.pem', '-noout', '-text')).stdout).toContain('CA:TRUE')
    expect((await curl('ca-true')).cnf).toEqual({ 'x5t#S256': await thumbprint('ca-true') })
  })

  it('[RFC8705-3.1] binds to one of version 1, as openssl x509 -req makes it', async () => {
    await openssl(
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=curl',
      '-keyout',
      'v1.key',
      '-out',
      'v1.csr',
    )
    await openssl('x509', '-req', '-in', 'v1.csr', '-signkey', 'v1.key', '-days', '2', '-out', 'v1.pem')
    expect((await openssl('x509', '-in', 'v1.pem', '-noout', '-text')).stdout).toContain('Version: 1 (0x0)')
    expect(readFileSync(join(server.directory, 'v1.pem'), 'utf8')).toContain('BEGIN CERTIFICATE')
    expect((await curl('v1')).cnf).toEqual({ 'x5t#S256': await thumbprint('v1') })
  })
})
