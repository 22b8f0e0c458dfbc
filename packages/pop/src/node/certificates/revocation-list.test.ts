import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseCrls } from './revocation.ts'
import { readRevocationList } from './revocation-list.ts'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** One element of DER. */
function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const size = content.length.toString(16)
  const octets = hex(size.padStart(size.length + (size.length % 2), '0'))
  const length = content.length < 128 ? octets : Buffer.concat([Buffer.from([0x80 + octets.length]), octets])
  return Buffer.concat([Buffer.from([tag]), length, content])
}

const time = tlv(0x17, Buffer.from('261122000000Z'))
const ecdsa = hex('300a 0608 2a8648ce3d040302')
const serial = (number: number) => hex(`41${number.toString(16).padStart(30, '0')}`)
const extension = (id: string, value: string, critical?: Buffer) =>
  tlv(0x30, tlv(6, hex(id)), ...(critical ? [critical] : []), tlv(4, hex(value)))
const keyCompromise = tlv(0x30, extension('551d15', '0a0101'))
const entry = (number: number, ...extensions: readonly Buffer[]) =>
  tlv(0x30, tlv(2, serial(number)), time, ...extensions)
/** Extensions that nobody need understand, of so many bytes. */
const filler = (size: number) => tlv(0x30, extension('2a0304', '00'.repeat(size - 11)))
const flag = { yes: hex('0101ff'), no: hex('010100') }

/** A list that is right: two entries, one with a reason, unless something else is said. */
function listOf(
  entries: readonly Buffer[] = [entry(1), entry(2, keyCompromise)],
  rest: readonly Buffer[] = [],
  algorithm = ecdsa,
): Buffer {
  const tbs = tlv(0x30, hex('020101'), ecdsa, hex('3000'), time, time, tlv(0x30, Buffer.concat(entries)), ...rest)
  return tlv(0x30, tbs, algorithm, tlv(3, Buffer.from([0]), sign('sha256', tbs, privateKey)))
}

describe('RFC 5280 §5.1 a revocation list', () => {
  it('gives the serial numbers of its entries, and whose it is', () => {
    const list = readRevocationList(listOf())
    expect(list?.revoked).toEqual(new Set([serial(1).toString('hex'), serial(2).toString('hex')]))
    expect(list?.thisUpdate).toBe(Date.UTC(2026, 10, 22) / 1000)
    expect(list?.isSignedBy(createPublicKey(privateKey))).toBe(true)
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
    expect(list?.isSignedBy(stranger)).toBe(false)
  })

  it('is read though other bytes lie around it', () => {
    const list = listOf()
    const inside = Buffer.concat([Buffer.alloc(3), list, Buffer.alloc(5)]).subarray(3, 3 + list.length)
    expect(readRevocationList(inside)?.revoked.size).toBe(2)
  })

  it.each([
    ['a reason that is critical', tlv(0x30, extension('551d15', '0a0101', flag.yes))],
    ['a date of invalidity', tlv(0x30, extension('551d18', '180f32303236313132323030303030305a'))],
    ['an unknown extension that is not critical', tlv(0x30, extension('2a0304', '0500'))],
    ['an unknown extension that says it is not critical', tlv(0x30, extension('2a0304', '0500', flag.no))],
    ['a reason and another', tlv(0x30, extension('551d15', '0a0101'), extension('2a0304', '0500'))],
  ])('may have entries with %s', (_, extensions) => {
    expect(readRevocationList(listOf([entry(1, extensions)]))?.revoked.size).toBe(1)
  })

  it.each([
    ['an unknown critical extension', entry(1, tlv(0x30, extension('2a0304', '0500', flag.yes)))],
    ['the issuer of an indirect list', entry(1, tlv(0x30, extension('551d1d', '3000', flag.yes)))],
    ['an extension without a value', entry(1, tlv(0x30, tlv(0x30, tlv(6, hex('551d15')))))],
    [
      'an extension of four parts',
      entry(1, tlv(0x30, tlv(0x30, tlv(6, hex('551d15')), flag.no, flag.no, hex('0400')))),
    ],
    ['a flag that is none', entry(1, tlv(0x30, extension('551d15', '0a0101', hex('0201ff'))))],
    ['extensions that are no sequence', entry(1, tlv(0x31, extension('551d15', '0a0101')))],
    ['extensions twice', entry(1, keyCompromise, keyCompromise)],
    ['no date', tlv(0x30, tlv(2, serial(1)))],
    ['no serial number', tlv(0x30, time)],
    ['a serial number of another type', tlv(0x30, tlv(4, serial(1)), time)],
    ['a date of another type', tlv(0x30, tlv(2, serial(1)), tlv(4, hex('00')))],
    ['nothing', hex('3000')],
    ['another type', tlv(0x31, tlv(2, serial(1)), time)],
    ['a length in more octets than it takes', Buffer.concat([hex('308121'), entry(1).subarray(2)])],
    ['an indefinite length', Buffer.concat([hex('3080'), entry(1).subarray(2), hex('0000')])],
    // 128 octets follow, which is what 0x80 would say if it were a length.
    ['an indefinite length that could be one', Buffer.concat([hex('3080'), entry(1, filler(95)).subarray(3)])],
    ['a length beyond the list', Buffer.concat([hex('3021'), entry(1).subarray(2, -1)])],
  ])('is refused as a whole for an entry with %s', (_, wrong) => {
    expect(readRevocationList(listOf([entry(1), entry(2)]))?.revoked.size).toBe(2)
    expect(readRevocationList(listOf([entry(1), wrong]))).toBeUndefined()
  })

  const crlNumber = extension('551d14', '020101')
  const delta = extension('551d1b', '020101', flag.yes)
  it.each([
    ['with bytes behind it', Buffer.concat([listOf(), hex('0500')])],
    ['cut short', listOf().subarray(0, -1)],
    ['that is empty', Buffer.alloc(0)],
    ['with a field that nobody knows', listOf(undefined, [hex('8100')])],
    ['with extensions twice', listOf(undefined, [tlv(0xa0, tlv(0x30, crlNumber)), tlv(0xa0, tlv(0x30, crlNumber))])],
    ['that is a delta', listOf(undefined, [tlv(0xa0, tlv(0x30, crlNumber, delta))])],
    ['that says another algorithm outside', listOf(undefined, [], hex('300a 0608 2a8648ce3d040303'))],
  ])('is none %s', (_, der) => {
    expect(readRevocationList(listOf(undefined, [tlv(0xa0, tlv(0x30, crlNumber))]))?.revoked.size).toBe(2)
    expect(readRevocationList(der)).toBeUndefined()
  })

  it('of 50,000 entries takes little time, from its file on', () => {
    const pem = pemOf(listOf(Array.from({ length: 50_000 }, (_, at) => entry(at, keyCompromise))))
    const { user } = process.cpuUsage()
    const [der] = parseCrls(pem)
    expect((process.cpuUsage().user - user) / 1000).toBeLessThan(1000)
    expect(der && readRevocationList(der)?.revoked.size).toBe(50_000)
  })
})

describe('RFC 7468 §7 a file of revocation lists', () => {
  const pem = pemOf(listOf())
  it('holds one or more, with any ends of lines', () => {
    expect(parseCrls(pem)).toHaveLength(1)
    expect(parseCrls(pem.trimEnd())).toHaveLength(1)
    expect(parseCrls(`${pem}\n${pem}`.replaceAll('\n', '\r\n'))).toHaveLength(2)
  })

  it.each([
    ['nothing', ''],
    ['a text before the list', `list\n${pem}`],
    ['a text behind the list', `${pem}list`],
    ['a line that is longer', pem.replace(/^(M.*)\n/m, '$1')],
    ['a space in a line', pem.replace('\nM', '\n M')],
    ['other letters', pem.replace('\nM', '\n_')],
    ['no end', pem.slice(0, pem.indexOf('-----END'))],
    ['another end', pem.replace('END X509 CRL', 'END CERTIFICATE')],
    ['no line', '-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n'],
    ['a list that is none', pemOf(listOf([hex('3000')]))],
  ])('is refused with %s', (_, text) => {
    expect(() => parseCrls(text)).toThrow(expect.objectContaining({ reason: 'client_certificate_revoked' }))
  })
})

function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN X509 CRL-----\n${lines.join('\n')}\n-----END X509 CRL-----\n`
}
