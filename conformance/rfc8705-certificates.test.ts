import { execFileSync, spawn } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  issueCertificate,
} from '@holdfast/pop/certificates'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, type Harness, startServer } from './harness.ts'
import { requirePrograms } from './requires.ts'

let directory: string
let root: CertificatePair
let server: Harness
let own: CertificatePair

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-certificates-'))
  root = await createCertificateAuthority({ name: 'Root' })
  own = await createClientCertificate({ name: 'client', keyType: 'P-256' })
  server = await startServer()
})
afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})
afterEach(async () => {
  const { json } = await server.token({}, { certificate: own })
  expect(claimsOf(json.access_token).cnf, 'still serves').toEqual({ 'x5t#S256': own.thumbprint })
})

describe('[T28] chains that are too long', () => {
  it.each([
    [10, 200],
    [11, 400],
    [60, 400],
  ])('of %i certificates are answered with %i', async (length, status) => {
    const filler = await Promise.all(
      Array.from({ length: length - 1 }, (_, at) =>
        issueCertificate({ subject: `${at}`, keyType: 'P-256', issuer: root }),
      ),
    )
    const certificate = { key: own.key, certificate: [own, ...filler].map((each) => each.certificate).join('') }
    const answer = await server.token({}, { certificate })
    expect(answer.status).toBe(status)
    if (status === 400) {
      expect(answer.json.error).toBe('invalid_request')
      expect(server.reports.at(-1)?.reason).toBe('certificate_chain_too_long')
    }
  })

  it.each([200, 400])('of %i certificates never become a token', async (length) => {
    const certificate = { key: own.key, certificate: own.certificate + root.certificate.repeat(length - 1) }
    const outcome = await server.token({}, { certificate }).then(
      ({ status }) => status,
      () => 'handshake failure',
    )
    expect([400, 'handshake failure']).toContain(outcome)
  })

  it('of more than 100 kB end the handshake', async () => {
    const wide = await issueCertificate({
      subject: 'wide',
      keyType: 'P-256',
      issuer: root,
      dns: Array.from({ length: 2500 }, (_, at) => `${at}.a-rather-long-name-of-a-host-that-takes-place.test`),
    })
    const certificate = { key: own.key, certificate: own.certificate + wide.certificate }
    await expect(server.token({}, { certificate })).rejects.toThrow()
  })
})

describe('[T29] [RFC8705-2-1] [RFC8705-6.1-3] somebody else’s certificate with one’s own key', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('ends the handshake over %s: no request arrives', async (version) => {
    const victim = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const tls = { minVersion: version, maxVersion: version }
    expect((await server.token({}, { certificate: victim, tls })).status).toBe(200)
    const stolen = { certificate: victim.certificate, key: disguised(own.key, victim.key) }
    const reported = server.reports.length
    await expect(server.token({}, { certificate: stolen, tls })).rejects.toThrow()
    const events = server.reports.slice(reported).map(({ event }) => event)
    expect(events.filter((event) => event !== 'handshake_failed')).toEqual([])
  })
})

/** A curve that the listener does not take: the client keeps such a certificate to itself, or the handshake ends. */
const withheld = 'certificate_required'

requirePrograms('openssl')('RFC 8705 §7.4 keys of certificates that openssl makes', () => {
  it.each([
    ['RSA of 2048 bit', ['rsa:2048'], undefined],
    ['P-256', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], undefined],
    ['[T24] RSA of 1024 bit', ['rsa:1024'], 'certificate_key_unacceptable'],
    ['[T24] RSA with exponent 3', ['rsa:2048', '-pkeyopt', 'rsa_keygen_pubexp:3'], 'certificate_key_unacceptable'],
    ['[T24] P-224', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-224'], withheld],
    ['[T24] secp256k1', ['ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], withheld],
    ['[T24] brainpoolP256r1', ['ec', '-pkeyopt', 'ec_paramgen_curve:brainpoolP256r1'], withheld],
  ])('%s', async (_, kind, reason) => {
    const [certificate, key] = [join(directory, 'c.pem'), join(directory, 'k.pem')]
    const files = ['-out', certificate, '-keyout', key]
    execFileSync('openssl', ['req', '-x509', '-nodes', '-subj', '/CN=client', ...files, '-newkey', ...kind], {
      stdio: 'pipe',
    })
    for (const version of ['-tls1_2', '-tls1_3']) {
      const answer = await postWithOpenssl(certificate, key, version)
      if (reason === undefined) {
        expect(answer).toMatch(/^HTTP\/1\.1 200 /)
      } else if (answer === '' && reason === withheld) {
        expect(server.reports.at(-1)).toMatchObject({ event: 'handshake_failed', seen: 'ERR_SSL_WRONG_CURVE' })
      } else {
        expect(answer).toMatch(/^HTTP\/1\.1 400 .*"error":"invalid_request"/s)
        expect(server.reports.at(-1)?.reason).toBe(reason)
      }
    }
  })
})

/**
 * A private key that says it belongs to another public key. OpenSSL compares public keys only, and so a client can be
 * made to present a certificate whose key it does not have.
 */
function disguised(key: string, as: string): string {
  const secretOf = (pem: string) => Buffer.from(createPrivateKey(pem).export({ format: 'jwk' }).d ?? '', 'base64url')
  const der = createPrivateKey(as).export({ type: 'pkcs8', format: 'der' })
  secretOf(key).copy(der, der.indexOf(secretOf(as)))
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`
}

/** Asks for a token of `bound` over `openssl s_client`, which loads what Node's client declines. */
function postWithOpenssl(certificate: string, key: string, version: string): Promise<string> {
  const body = 'grant_type=client_credentials&client_id=bound&client_secret=secret&scope=api1'
  const head = [
    'POST /token HTTP/1.1',
    'host: localhost',
    'connection: close',
    'content-type: application/x-www-form-urlencoded',
    `content-length: ${body.length}`,
  ]
  const to = ['-connect', `127.0.0.1:${server.mutualTlsPort}`, '-servername', 'localhost']
  const shown = ['-quiet', '-cert', certificate, '-key', key, '-cipher', 'DEFAULT@SECLEVEL=0', version]
  return new Promise((resolve) => {
    const client = spawn('openssl', ['s_client', ...to, ...shown])
    let answer = ''
    client.stdout.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
    })
    client.stdin.on('error', () => undefined)
    client.on('close', () => resolve(answer))
    client.stdin.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  })
}
