import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import { Refused } from '../../oauth/refusal.ts'
import { createClientCertificate } from './make.ts'
import { derOf, factsOf, parsePem, pemOf, thumbprintOf, thumbprintSpellings } from './read.ts'

/** RFC 8705 appendix A, figures 5 and 6. */
const printed = {
  thumbprint: 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0',
  pem: `-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
`,
}

const der = derOf(printed.pem)

describe('RFC 8705 §3.1 the thumbprint of a certificate', () => {
  it('[RFC8705-A-1] is the one that appendix A prints', () => {
    expect(thumbprintOf(der)).toBe(printed.thumbprint)
    expect(factsOf(der).thumbprint).toBe(printed.thumbprint)
  })

  requirePrograms('openssl')('beside openssl', () => {
    it('agrees with openssl x509 -fingerprint', async () => {
      const { certificate, thumbprint } = await createClientCertificate({ name: 'client', keyType: 'P-256' })
      const line = execFileSync('openssl', ['x509', '-noout', '-fingerprint', '-sha256'], {
        input: certificate,
      }).toString()
      const hex = line.trim().replace(/^.*=/, '')
      expect(Buffer.from(hex.replaceAll(':', ''), 'hex').toString('base64url')).toBe(thumbprint)
      const spelled = thumbprintSpellings(derOf(certificate)).find(({ name }) => name.includes('-sha256'))
      expect(spelled).toMatchObject({ value: hex, use: 'same' })
    })
  })

  it('is spelled in every encoding that people meet, one of them right, mistakes marked', () => {
    const spellings = thumbprintSpellings(der)
    expect(spellings.filter(({ use }) => use === 'x5t#S256').map(({ value }) => value)).toEqual([printed.thumbprint])
    expect(spellings.filter(({ use }) => use === 'wrong')).toHaveLength(2)
    const same = spellings.filter(({ use, name }) => use === 'same' && !name.startsWith('base64'))
    expect(new Set(same.map(({ value }) => value.replaceAll(':', '').toLowerCase())).size).toBe(1)
  })
})

describe('facts of a certificate', () => {
  it('has dates in seconds and the kind of key', () => {
    expect(factsOf(der)).toMatchObject({
      notBefore: Date.UTC(2018, 9, 18, 12, 37, 9) / 1000,
      notAfter: Date.UTC(2022, 4, 2, 12, 37, 9) / 1000,
      key: { type: 'EC', curve: 'P-256' },
    })
  })

  it('keeps the thumbprint of the public key when the certificate is renewed with its key', async () => {
    const first = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const renewed = await createClientCertificate({ name: 'client', keyType: 'P-256', key: first.key })
    expect(renewed.thumbprint).not.toBe(first.thumbprint)
    const [a, b] = [first, renewed].map(({ certificate }) => factsOf(derOf(certificate)).publicKeyThumbprint)
    expect(a).toBe(b)
  })
})

describe('strict DER', () => {
  const [header, rest] = [der.subarray(0, 4), der.subarray(4)]
  const length = header.readUInt16BE(2)
  const end = Buffer.alloc(2)

  it.each([
    ['trailing bytes', Buffer.concat([der, Buffer.from([0])])],
    ['a length that is not minimal', Buffer.concat([Buffer.from([0x30, 0x83, 0, length >> 8, length & 255]), rest])],
    ['an indefinite length', Buffer.concat([Buffer.from([0x30, 0x80]), rest, end])],
    ['a missing byte', der.subarray(0, -1)],
    ['PEM for DER', Buffer.from(printed.pem)],
    ['no bytes', Buffer.alloc(0)],
  ])('refuses %s', (_, bytes) => {
    expect(reasonOf(() => factsOf(bytes))).toBe('certificate_unreadable')
  })
})

describe('RFC 7468 §3 strict PEM', () => {
  const { pem } = printed
  const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'

  it('parses one certificate, and several', () => {
    expect(parsePem(pem)).toEqual([der])
    expect(parsePem(pem + pem)).toEqual([der, der])
  })

  it.each([
    ['CRLF', pem.replaceAll('\n', '\r\n')],
    ['no line end at the end', pem.trimEnd()],
    ['an empty line between two', `${pem}\n${pem}`],
  ])('takes %s', (_, text) => {
    expect(parsePem(text)[0]).toEqual(der)
  })

  it.each([
    ['an empty text', ''],
    ['text before the block', `subject=CN = mtls\n${pem}`],
    ['text behind the block', `${pem}x`],
    ['a private key beside it', key + pem],
    ['a private key behind it', pem + key],
    ['TRUSTED CERTIFICATE', pem.replaceAll(' CERTIFICATE', ' TRUSTED CERTIFICATE')],
    ['X509 CERTIFICATE', pem.replaceAll(' CERTIFICATE', ' X509 CERTIFICATE')],
    ['one long line', pem.replace(/(?<=[A-Za-z0-9+/])\n(?=[A-Za-z0-9+/])/g, '')],
    ['spaces for line ends', pem.replaceAll('\n', ' ')],
    ['a missing END', pem.replace('-----END CERTIFICATE-----\n', '')],
    ['bare base64', der.toString('base64')],
    ['a leading NUL', `\0${pem}`],
    ['a base64 letter that is none', pem.replace('MIIB', 'MI*B')],
    ['stray bits at the end of the base64', pem.replace('L+SY=', 'L+SZ=')],
    ['DER that goes on', pemOf(Buffer.concat([der, Buffer.from([0])]))],
  ])('refuses %s', (_, text) => {
    expect(reasonOf(() => parsePem(text))).toBe('certificate_unreadable')
  })

  it('refuses two certificates where one is asked for', () => {
    expect(reasonOf(() => derOf(pem + pem))).toBe('certificate_unreadable')
  })

  it('reads what it writes', () => {
    expect(pemOf(der)).toBe(pem)
  })
})

function reasonOf(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    return error instanceof Refused ? error.reason : error
  }
}
