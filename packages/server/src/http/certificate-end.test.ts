import { derOf, issueCertificate, x509Of } from '@holdfast/pop/certificates'
import { createCertificateAuthority } from '@holdfast/pop/testing'
import { describe, expect, it } from 'vitest'
import type { Report } from '../ports/report.ts'
import { createEndWatch } from './certificate-end.ts'

const day = 86_400
const authority = await createCertificateAuthority({ name: 'CA', keyType: 'P-256' })
const { certificate, key } = await issueCertificate({ subject: 'as', issuer: authority, keyType: 'P-256', dns: ['as'] })
const ends = Math.floor(x509Of(derOf(certificate)).validToDate.getTime() / 1000)
const listener = { port: 1, origin: 'https://as.test', certificate, key }

/** What is told when it is looked at these moments. */
function toldAt(...moments: readonly number[]): readonly string[] {
  const reports: Report[] = []
  let now = 0
  const look = createEndWatch(
    () => now,
    (report) => reports.push(report),
  )
  for (const moment of moments) {
    now = moment
    look(listener)
  }
  return reports.map(({ level, event }) => `${level} ${event}`)
}

describe('[F19] the end of a server certificate', () => {
  it.each([30, 7, 1])('is told of %i days before, on the second', (days) => {
    expect(toldAt(ends - days * day)).toEqual(['warn certificate_ends_soon'])
  })

  it('is not told of sooner', () => {
    expect(toldAt(ends - 30 * day - 1)).toEqual([])
  })

  it('is told of once for each of these days', () => {
    const looks = [31, 30, 29, 8, 7, 6, 2, 1].flatMap((days) => [ends - days * day, ends - days * day + 1])
    expect(toldAt(...looks)).toEqual(Array.from({ length: 3 }, () => 'warn certificate_ends_soon'))
  })

  it('is an error when it has come', () => {
    expect(toldAt(ends - 1, ends, ends + 1)).toEqual(['warn certificate_ends_soon', 'error certificate_ended'])
  })
})
