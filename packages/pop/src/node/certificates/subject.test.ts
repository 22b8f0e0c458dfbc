import { execFileSync } from 'node:child_process'
import { BmpString, PrintableString, TeletexString, Utf8String } from 'asn1js'
import { describe, expect, it } from 'vitest'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import { type DistinguishedName, parseDistinguishedName } from './distinguished-name.ts'
import type { AlternativeNames } from './extensions.ts'
import { generatePrivateKey } from './key-type.ts'
import { issueCertificate } from './make.ts'
import { derOf } from './read.ts'
import { formatDistinguishedName, isSubjectValue, matchesSubject, type SubjectKind } from './subject.ts'

const key = (await generatePrivateKey('P-256')).export({ type: 'pkcs8', format: 'pem' }).toString()

const cn = '2.5.4.3'
const o = '2.5.4.10'
const c = '2.5.4.6'
const uid = '0.9.2342.19200300.100.1.1'
const name = (...parts: [type: string, text: string][][]): DistinguishedName =>
  parts.map((part) => part.map(([type, text]) => ({ type, text })))

/** C=DE, then O=Example Org, then CN=client one: the reverse of what RFC 4514 writes. */
const usual = name([[c, 'DE']], [[o, 'Example Org']], [[cn, 'client one']])

describe('RFC 8705 §2.1.2 distinguished names', () => {
  const pairs: readonly (readonly [what: string, DistinguishedName, registered: string, boolean])[] = [
    ['the same name', usual, 'CN=client one,O=Example Org,C=DE', true],
    ['spaces around the separators', usual, ' CN = client one , O = Example Org , C=DE ', true],
    ['another case of the keywords', usual, 'cn=client one,o=Example Org,c=DE', true],
    ['long keywords', usual, 'commonName=client one,organizationName=Example Org,countryName=DE', true],
    ['OIDs for keywords', usual, '2.5.4.3=client one,2.5.4.10=Example Org,2.5.4.6=DE', true],
    ['escapes that are not needed', usual, 'CN=client\\20one,O=Example\\ Org,C=\\44E', true],
    ['a value in hex, UTF8String', usual, 'CN=#0c0a636c69656e74206f6e65,O=Example Org,C=DE', true],
    ['a value in hex, PrintableString', usual, 'CN=#130A636C69656E74206F6E65,O=Example Org,C=DE', true],
    ['[T13] the parts in reverse', usual, 'C=DE,O=Example Org,CN=client one', false],
    ['[T13] another case of a value', usual, 'CN=Client One,O=Example Org,C=DE', false],
    ['[T13] a part missing at the end', usual, 'CN=client one,O=Example Org', false],
    ['[T13] a part missing at the front', usual, 'O=Example Org,C=DE', false],
    ['[T13] a part more', usual, 'OU=x,CN=client one,O=Example Org,C=DE', false],
    ['two spaces inside a value', usual, 'CN=client  one,O=Example Org,C=DE', false],
    ['another kind of attribute', usual, 'OU=client one,O=Example Org,C=DE', false],
    ['a part of a value', usual, 'CN=client,O=Example Org,C=DE', false],
    ['parts that are joined', usual, 'CN=client one+O=Example Org,C=DE', false],
    ['[T14] a comma in the value for a separator', name([[cn, 'a, O=Org']]), 'CN=a,O=Org', false],
    ['[T14] a separator for a comma in the value', name([[o, 'Org']], [[cn, 'a']]), 'CN=a\\, O=Org', false],
    ['a comma, escaped', name([[cn, 'a, O=Org']]), 'CN=a\\, O=Org', true],
    ['a comma, in hex', name([[cn, 'a, O=Org']]), 'CN=a\\2c O=Org', true],
    ['a plus in the value for a set', name([[cn, 'one + O=Org']]), 'CN=one+O=Org', false],
    ['a plus, escaped', name([[cn, 'one + O=Org']]), 'CN=one \\+ O=Org', true],
    ['a newline for a separator', name([[cn, 'a\nO=Org']]), 'CN=a,O=Org', false],
    ['a newline, escaped', name([[cn, 'a\nO=Org']]), 'CN=a\\0aO=Org', true],
    ['a newline against the text of its escape', name([[cn, 'a\n']]), 'CN=a\\\\0A', false],
    ['what stands before a NUL', name([[cn, 'good\0.evil']]), 'CN=good', false],
    ['a NUL, escaped', name([[cn, 'good\0.evil']]), 'CN=good\\00.evil', true],
    ['a name without the NUL', name([[cn, 'good\0.evil']]), 'CN=good.evil', false],
    [
      'a set, in its order',
      name([
        [cn, 'a'],
        [uid, 'u'],
      ]),
      'CN=a+UID=u',
      true,
    ],
    [
      'a set, in another order',
      name([
        [cn, 'a'],
        [uid, 'u'],
      ]),
      'UID=u + CN=a',
      true,
    ],
    [
      'a set against two parts',
      name([
        [cn, 'a'],
        [uid, 'u'],
      ]),
      'CN=a,UID=u',
      false,
    ],
    ['two parts against a set', name([[cn, 'a']], [[uid, 'u']]), 'CN=a+UID=u', false],
    [
      'a set with one missing',
      name([
        [cn, 'a'],
        [uid, 'u'],
      ]),
      'CN=a',
      false,
    ],
    ['two common names, the first only', name([[cn, 'a']], [[cn, 'b']]), 'CN=a', false],
    ['two common names', name([[cn, 'a']], [[cn, 'b']]), 'CN=b,CN=a', true],
    ['a space at the edges, escaped', name([[cn, ' a ']]), 'CN=\\ a\\ ', true],
    ['a space at the edges, forgotten', name([[cn, ' a ']]), 'CN= a ', false],
    ['a hash in front, escaped', name([[cn, '#0c0161']]), 'CN=\\#0c0161', true],
    ['a hash in front, taken for hex', name([[cn, '#0c0161']]), 'CN=#0c0161', false],
    ['letters outside ASCII', name([[cn, 'Zoë']]), 'CN=Zoë', true],
    ['letters outside ASCII, in hex', name([[cn, 'Zoë']]), 'CN=Zo\\c3\\ab', true],
    ['letters that only look alike', name([[cn, 'Zoë']]), 'CN=Zoe\u0308', false],
    ['an empty value', name([[cn, '']]), 'CN=', true],
    ['an empty subject', [], 'CN=', false],
    ['a name that is malformed', usual, 'client one', false],
  ]

  it.each(pairs)('%s', async (_, subject, value, expected) => {
    expect(matchesSubject(await certificateOf({ subject }), { kind: 'tls_client_auth_subject_dn', value })).toBe(
      expected,
    )
  })

  it('the type of the string does not count', async () => {
    for (const text of [
      new PrintableString({ value: 'client' }),
      new Utf8String({ value: 'client' }),
      new TeletexString({ value: 'client' }),
      new BmpString({ value: 'client' }),
    ]) {
      const subject = [[{ type: cn, der: Buffer.from(text.toBER()).toString('hex') }]]
      const der = await certificateOf({ subject })
      expect(matchesSubject(der, { kind: 'tls_client_auth_subject_dn', value: 'CN=client' })).toBe(true)
      expect(matchesSubject(der, { kind: 'tls_client_auth_subject_dn', value: 'CN=Client' })).toBe(false)
    }
  })

  it('a TeletexString outside ASCII, which nobody reads alike, matches only as its bytes', async () => {
    const subject = [[{ type: cn, der: '1401eb' }]]
    const der = await certificateOf({ subject })
    expect(matchesSubject(der, { kind: 'tls_client_auth_subject_dn', value: 'CN=ë' })).toBe(false)
    expect(matchesSubject(der, { kind: 'tls_client_auth_subject_dn', value: 'CN=#1401EB' })).toBe(true)
  })
})

describe('RFC 4514 names as text', () => {
  it.each([
    '',
    ' ',
    'CN',
    '=a',
    'CN=a,',
    ',CN=a',
    'CN=a,,O=b',
    'CN=a+',
    'CN=a;O=b',
    'CN="a"',
    'CN=a"b',
    'CN=<a>',
    'CN=a\\',
    'CN=a\\x',
    'CN=\\ff',
    'CN=#',
    'CN=#0',
    'CN=#zz',
    'CN=#0c0261',
    'CN=#0c016100',
    'XYZ=a',
    '2.5..4=a',
    '.1=a',
    'C N=a',
    'CN=a\0b',
    'CN=\ud800',
    `CN=${'a'.repeat(2100)}`,
  ])('refuses %j', (text) => {
    expect(parseDistinguishedName(text)).toBeUndefined()
  })

  it.each([
    ['commas and quotes', name([[cn, 'a, "b" + <c>; \\d']])],
    ['spaces at the edges', name([[cn, ' a ']])],
    ['one space', name([[cn, ' ']])],
    ['a hash in front', name([[cn, '#a']])],
    ['control characters', name([[cn, 'a\0b\nc\u0085d']])],
    [
      'a set',
      name([
        [cn, 'a'],
        [uid, 'b'],
      ]),
    ],
    ['a kind without a keyword', name([['1.2.3.4', 'a']])],
    ['an e-mail address and a serial number', name([['1.2.840.113549.1.9.1', 'a@b.test']], [['2.5.4.5', '42']])],
    ['letters outside ASCII', name([[o, 'Łódź 💡']])],
    ['a TeletexString outside ASCII', [[{ type: cn, der: '1401eb' }]]],
  ])('writes %s so that it reads them back', async (_, subject) => {
    const der = await certificateOf({ subject })
    const text = formatDistinguishedName(der)
    expect(text).toBeDefined()
    expect(text).not.toMatch(/\p{Cc}/u)
    expect(matchesSubject(der, { kind: 'tls_client_auth_subject_dn', value: text ?? '' })).toBe(true)
  })

  it('gives nothing for an empty subject', async () => {
    expect(formatDistinguishedName(await certificateOf({ subject: [] }))).toBeUndefined()
  })

  requirePrograms('openssl')('beside openssl', () => {
    it('takes what openssl x509 -nameopt RFC2253 writes', async () => {
      const subject = name(
        [[c, 'DE']],
        [[o, 'Zoë, Söhne + Co. "x"']],
        [
          [cn, '#1 '],
          [uid, 'u'],
        ],
      )
      const der = await certificateOf({ subject })
      const arguments_ = ['x509', '-inform', 'DER', '-noout', '-subject', '-nameopt', 'RFC2253']
      const value = execFileSync('openssl', arguments_, { input: der })
        .toString()
        .replace(/^subject=/, '')
        .replace(/\n$/, '')
      expect(matchesSubject(der, { kind: 'tls_client_auth_subject_dn', value })).toBe(true)
    })
  })
})

describe('RFC 8705 §2.1.2 alternative names', () => {
  const dns = 'tls_client_auth_san_dns'
  const uri = 'tls_client_auth_san_uri'
  const ip = 'tls_client_auth_san_ip'
  const email = 'tls_client_auth_san_email'
  const pairs: readonly (readonly [what: string, AlternativeNames, SubjectKind, string, boolean])[] = [
    ['a DNS name', { dns: ['good.test'] }, dns, 'good.test', true],
    ['a DNS name, second in the list', { dns: ['other.test', 'good.test'] }, dns, 'good.test', true],
    ['a DNS name in another ASCII case', { dns: ['Good.TEST'] }, dns, 'gOOD.test', true],
    ['[T15] a wildcard', { dns: ['*.good.test'] }, dns, 'a.good.test', false],
    ['[T15] a wildcard that is registered', { dns: ['*.good.test'] }, dns, '*.good.test', false],
    ['[T15] a common name only', {}, dns, 'common.test', false],
    ['[T16] a name within a name', { dns: ['good.test, DNS:evil.test'] }, dns, 'evil.test', false],
    ['[T16] what stands before the trick', { dns: ['good.test, DNS:evil.test'] }, dns, 'good.test', false],
    ['what stands before a NUL', { dns: ['good.test\0.evil.test'] }, dns, 'good.test', false],
    ['a dot at the end', { dns: ['good.test.'] }, dns, 'good.test', false],
    ['a name below', { dns: ['a.good.test'] }, dns, 'good.test', false],
    ['the Kelvin sign for k', { dns: ['\u212a.test'] }, dns, 'k.test', false],
    ['a DNS name in a URI', { uris: ['good.test'] }, dns, 'good.test', false],
    ['an IP address as a DNS name', { dns: ['127.0.0.1'] }, ip, '127.0.0.1', false],
    ['a URI', { uris: ['https://a.test/Path?q=1#f'] }, uri, 'https://a.test/Path?q=1#f', true],
    ['a SPIFFE id', { uris: ['spiffe://a.test/ns/x'] }, uri, 'spiffe://a.test/ns/x', true],
    ['[T17] another case of the path', { uris: ['https://a.test/Path'] }, uri, 'https://a.test/path', false],
    ['another case of the host', { uris: ['https://A.test/'] }, uri, 'https://a.test/', false],
    ['[T17] a slash at the end', { uris: ['https://a.test/x/'] }, uri, 'https://a.test/x', false],
    ['a percent code', { uris: ['https://a.test/%41'] }, uri, 'https://a.test/A', false],
    ['an IPv4 address', { ips: ['192.0.2.1'] }, ip, '192.0.2.1', true],
    ['another IPv4 address', { ips: ['192.0.2.1'] }, ip, '192.0.2.11', false],
    ['[T17] an IPv4 address in another notation', { ips: ['192.0.2.1'] }, ip, '192.0.513', false],
    ['an IPv4 address with a zero in front', { ips: ['192.0.2.1'] }, ip, '192.0.2.01', false],
    ['[T17] an IPv6 address in another notation', { ips: ['::1'] }, ip, '0:0:0:0:0:0:0:1', true],
    ['an IPv6 address in capitals', { ips: ['2001:db8::a'] }, ip, '2001:DB8:0::000A', true],
    ['an IPv6 address with an IPv4 end', { ips: ['::ffff:192.0.2.1'] }, ip, '::ffff:c000:201', true],
    ['an IPv4 address in IPv6', { ips: ['192.0.2.1'] }, ip, '::ffff:192.0.2.1', false],
    ['an IPv6 address with a zone', { ips: ['fe80::1'] }, ip, 'fe80::1%eth0', false],
    ['an IPv6 address of nothing but zeros', { ips: ['::'] }, ip, '0::0', true],
    ['an e-mail address', { emails: ['A.b@good.test'] }, email, 'A.b@GOOD.test', true],
    ['an e-mail address, another case of its local part', { emails: ['A.b@good.test'] }, email, 'a.b@good.test', false],
    ['an e-mail address within a name', { emails: ['a@evil.test,b@good.test'] }, email, 'b@good.test', false],
  ]

  it.each(pairs)('%s', async (_, names, kind, value, expected) => {
    expect(matchesSubject(await certificateOf({ subject: 'common.test', ...names }), { kind, value })).toBe(expected)
  })
})

describe('values that can be registered', () => {
  it.each([
    ['tls_client_auth_subject_dn', 'CN=a', 'a'],
    ['tls_client_auth_san_dns', 'a.test', '*.test'],
    ['tls_client_auth_san_dns', 'xn--zo-jka.test', 'zoë.test'],
    ['tls_client_auth_san_uri', 'urn:a', 'a'],
    ['tls_client_auth_san_ip', '::1', '1'],
    ['tls_client_auth_san_ip', '10.0.0.1', '10.0.0.0/8'],
    ['tls_client_auth_san_email', 'a@b.test', 'a'],
  ] as const)('%s takes %j and refuses %j', (kind, good, bad) => {
    expect(isSubjectValue(kind, good)).toBe(true)
    expect(isSubjectValue(kind, bad)).toBe(false)
  })
})

async function certificateOf(
  options: { readonly subject: string | DistinguishedName } & AlternativeNames,
): Promise<Buffer> {
  return derOf((await issueCertificate({ keyType: 'P-256', key, ...options })).certificate)
}
