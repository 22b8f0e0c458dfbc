import { X509Certificate } from 'node:crypto'
import { isAcceptableKey } from '@holdfast/pop'
import { factsOf, formatDistinguishedName, thumbprintOf } from '@holdfast/pop/certificates'
import { renderMoment, systemNow } from './moment.ts'
import { harmless, renderTable, type Terminal } from './terminal.ts'

/** What a certificate says, for people or as JSON. */
export function renderCertificate(der: Buffer, json: true | undefined, { columns, style }: Terminal): string {
  const x509 = new X509Certificate(der)
  const { notBefore, notAfter, key, publicKeyThumbprint } = factsOf(der)
  const said = {
    subject: formatDistinguishedName(der) ?? '',
    issuer: x509.issuer.split('\n').reverse().join(','),
    serialNumber: x509.serialNumber,
    notBefore,
    notAfter,
    key: { ...key, ...('exponent' in key ? { exponent: Number(key.exponent) } : {}) },
    isCa: x509.ca,
    subjectAltName: x509.subjectAltName,
    extendedKeyUsage: x509.keyUsage,
    'x5t#S256': thumbprintOf(der),
    publicKeyThumbprint,
  }
  if (json) return JSON.stringify(said, null, 2)
  const now = systemNow()
  const dated = now > notAfter || now < notBefore ? style.bad : style.good
  const rows = [
    ['subject', said.subject || '(empty)'],
    ['issuer', x509.verify(x509.publicKey) ? `${said.issuer} (self-signed)` : said.issuer],
    ['serial', said.serialNumber],
    ['from', renderMoment(notBefore, now)],
    ['until', dated(renderMoment(notAfter, now))],
    ['key', `${keyName(said.key)}${isAcceptableKey(key) ? '' : style.bad(' (not accepted)')}`],
    ['CA', x509.ca ? 'yes: good for binding, not for tls_client_auth' : 'no'],
    ...(x509.subjectAltName === undefined ? [] : [['names', x509.subjectAltName]]),
    ['purposes', x509.keyUsage?.map(purpose).join(', ') ?? 'any'],
    ['x5t#S256', said['x5t#S256']],
  ]
  return renderTable(
    rows.map(([name = '', value = '']) => [style.dim(name), harmless(value)]),
    columns,
  )
}

function keyName({
  type,
  ...rest
}: {
  readonly type: string
  readonly curve?: string
  readonly bits?: number
}): string {
  return rest.curve ?? (rest.bits === undefined ? type : `${type} ${rest.bits} bit`)
}

function purpose(oid: string): string {
  const names: Readonly<Record<string, string>> = {
    '1.3.6.1.5.5.7.3.1': 'serverAuth',
    '1.3.6.1.5.5.7.3.2': 'clientAuth',
    '2.5.29.37.0': 'any',
  }
  return names[oid] ?? oid
}
