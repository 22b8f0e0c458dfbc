import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import { keyTypes } from './key-type.ts'
import { type CertificatePair, createCertificateAuthority, createClientCertificate, issueCertificate } from './make.ts'
import { certificateKeyOf, derOf, thumbprintOf, x509Of } from './read.ts'
import { structureOf } from './structure.ts'

const now = Date.UTC(2026, 0, 31, 12) / 1000
const context = { now: () => now }

requirePrograms('openssl')('a client certificate made on the fly', () => {
  it('is the one of the seed page, as openssl reads it', async () => {
    const text = openssl(await createClientCertificate({ name: 'client' }, context))
    expect(text).toMatch(/Version: 3 \(0x2\)/)
    expect(text.match(/Signature Algorithm: sha256WithRSAEncryption/g)).toHaveLength(2)
    expect(text).toMatch(/Issuer: CN ?= ?client\n/)
    expect(text).toMatch(/Subject: CN ?= ?client\n/)
    expect(text).toContain('Not Before: Jan 30 12:00:00 2026 GMT')
    expect(text).toContain('Not After : Feb 10 12:00:00 2026 GMT')
    expect(text).toContain('Public-Key: (2048 bit)')
    expect(text).toMatch(/X509v3 Key Usage: \n +Digital Signature, Key Encipherment, Data Encipherment\n/)
    expect(text).toMatch(/X509v3 Extended Key Usage: \n +TLS Web Client Authentication\n/)
    expect(text.match(/X509v3 (?!extensions)/g)).toHaveLength(2)
  })

  it.each(['P-256', 'Ed25519'] as const)('of a %s key is for signatures only', async (keyType) => {
    const text = openssl(await createClientCertificate({ name: 'client', keyType }))
    expect(text).toMatch(/X509v3 Key Usage: \n +Digital Signature\n/)
  })

  it('has a positive serial number of sixteen bytes, another each time', async () => {
    const low = await createClientCertificate(
      { name: 'a', keyType: 'P-256' },
      { random: (length) => Buffer.alloc(length) },
    )
    const high = await createClientCertificate(
      { name: 'a', keyType: 'P-256' },
      { random: (length) => Buffer.alloc(length, 255) },
    )
    const two = await Promise.all([1, 2].map(() => createClientCertificate({ name: 'a', keyType: 'P-256' })))
    expect(structureOf(derOf(low.certificate)).serial).toBe(`40${'00'.repeat(15)}`)
    expect(structureOf(derOf(high.certificate)).serial).toBe(`7f${'ff'.repeat(15)}`)
    expect(new Set(two.map(({ certificate }) => structureOf(derOf(certificate)).serial)).size).toBe(2)
  })

  it('lasts as long as was asked', async () => {
    const { certificate } = await createClientCertificate({ name: 'client', keyType: 'P-256', days: 3 }, context)
    expect(x509Of(derOf(certificate)).validToDate.getTime() / 1000).toBe(now + 3 * 86_400)
  })
})

describe('certificates of every kind of key', async () => {
  const authority = await createCertificateAuthority({ name: 'Example CA' })
  const server = await issueCertificate({
    issuer: authority,
    subject: 'localhost',
    dns: ['localhost'],
    keyType: 'P-256',
    extendedKeyUsage: ['serverAuth'],
  })
  const sigalgs = `ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:rsa_pss_rsae_sha256:mldsa44:mldsa65:mldsa87`
  const listener = createServer(
    {
      cert: server.certificate,
      key: server.key,
      requestCert: true,
      rejectUnauthorized: false,
      ca: [],
      sigalgs,
      minVersion: 'TLSv1.3',
    },
    (socket) => {
      const certificate = socket.getPeerX509Certificate()
      socket.end(certificate ? thumbprintOf(certificate.raw) : 'none')
    },
  )
  beforeAll(() => new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve)))
  afterAll(() => new Promise<void>((resolve) => listener.close(() => resolve())))

  it.each(keyTypes)(
    '%s: signed by its own key, and the same certificate at the other end of TLS 1.3',
    async (keyType) => {
      const pair = await createClientCertificate({ name: 'client', keyType })
      const x509 = x509Of(derOf(pair.certificate))
      expect(x509.verify(x509.publicKey)).toBe(true)
      expect(
        JSON.stringify(certificateKeyOf(x509.publicKey), (_, value) =>
          typeof value === 'bigint' ? `${value}` : value,
        ),
      ).toContain(keyType)
      expect(await thumbprintSeen(pair)).toBe(pair.thumbprint)
    },
  )

  async function thumbprintSeen({ certificate, key }: CertificatePair): Promise<string> {
    const { port } = listener.address() as AddressInfo
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: authority.certificate,
      cert: certificate,
      key,
    })
    let seen = ''
    for await (const chunk of socket) seen += chunk
    return seen
  }
})

requirePrograms('openssl')('openssl verify', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-make-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }

  it.each(['RSA', 'P-256', 'P-384', 'P-521', 'Ed25519'] as const)(
    'accepts a chain of %s keys, strictly',
    async (keyType) => {
      const root = await createCertificateAuthority({ name: 'Root', keyType })
      const middle = await createCertificateAuthority({ name: 'Middle', keyType, issuer: root, pathLength: 0 })
      const leaf = await issueCertificate({
        issuer: middle,
        subject: 'client',
        keyType,
        keyUsage: ['digitalSignature'],
        extendedKeyUsage: ['clientAuth'],
        dns: ['client.test'],
      })
      const files = [
        file('root.pem', root.certificate),
        '-untrusted',
        file('middle.pem', middle.certificate),
        file('leaf.pem', leaf.certificate),
      ]
      const said = execFileSync('openssl', [
        'verify',
        '-x509_strict',
        '-purpose',
        'sslclient',
        '-CAfile',
        ...files,
      ]).toString()
      expect(said).toMatch(/leaf\.pem: OK/)
    },
  )
})

requirePrograms('openssl')('other certificates', async () => {
  const authority = await createCertificateAuthority({ name: 'Example CA' })

  it('is a CA that may sign certificates and lists, ten years long', () => {
    const text = openssl(authority)
    expect(text).toMatch(/Basic Constraints: critical\n +CA:TRUE\n/)
    expect(text).toMatch(/Key Usage: critical\n +Certificate Sign, CRL Sign\n/)
  })

  it('has a path length when one was asked for', async () => {
    expect(openssl(await createCertificateAuthority({ name: 'CA', pathLength: 2 }))).toContain('CA:TRUE, pathlen:2')
  })

  it('writes alternative names of every kind', async () => {
    const names = { dns: ['a.test'], uris: ['urn:a'], ips: ['192.0.2.1', '2001:db8::1'], emails: ['a@b.test'] }
    const text = openssl(await issueCertificate({ issuer: authority, subject: 'a', keyType: 'P-256', ...names }))
    expect(text).toContain(
      'email:a@b.test, DNS:a.test, URI:urn:a, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1',
    )
  })

  it('writes version 1 without extensions', async () => {
    const text = openssl(
      await issueCertificate({ issuer: authority, subject: 'a', keyType: 'P-256', version: 1, dns: ['a.test'] }),
    )
    expect(text).toContain('Version: 1 (0x0)')
    expect(text).not.toContain('X509v3')
  })

  it('writes GeneralizedTime from 2050 on', async () => {
    const notAfter = Date.UTC(2050, 0, 1) / 1000
    const text = openssl(await issueCertificate({ subject: 'a', keyType: 'P-256', notBefore: notAfter - 1, notAfter }))
    expect(text).toContain('Not Before: Dec 31 23:59:59 2049 GMT')
    expect(text).toContain('Not After : Jan  1 00:00:00 2050 GMT')
  })

  it('writes every bit of a key usage', async () => {
    const usages = ['digitalSignature', 'keyAgreement', 'decipherOnly'] as const
    const text = openssl(await issueCertificate({ subject: 'a', keyType: 'P-256', keyUsage: usages }))
    expect(text).toMatch(/Key Usage: \n +Digital Signature, Key Agreement, Decipher Only\n/)
  })
})

function openssl({ certificate }: CertificatePair): string {
  return execFileSync('openssl', ['x509', '-noout', '-text'], { input: certificate }).toString()
}
