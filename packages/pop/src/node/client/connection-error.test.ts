import { describe, expect, it } from 'vitest'
import { connectionError } from './connection-error.ts'

const connection = { origin: 'https://as.example', hasCertificate: true, hasAnswered: true }

describe('what a failed connection means', () => {
  it.each([
    ['ECONNREFUSED', 'connection_failed'],
    ['ENOTFOUND', 'connection_failed'],
    ['ECONNRESET', 'connection_lost'],
    ['EPIPE', 'connection_lost'],
    ['UND_ERR_SOCKET', 'connection_lost'],
    ['UND_ERR_CONNECT_TIMEOUT', 'deadline_exceeded'],
    ['UND_ERR_HEADERS_TIMEOUT', 'deadline_exceeded'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'server_untrusted'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'server_untrusted'],
    ['CERT_HAS_EXPIRED', 'server_untrusted'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'server_untrusted'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'certificate_rejected'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'certificate_rejected'],
    ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'certificate_rejected'],
    ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', 'connection_failed'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'connection_failed'],
  ])('%s: %s', (code, reason) => {
    expect(connectionError(failure(code), connection)).toMatchObject({ reason })
  })

  it('[C16] a server that closes before it ever answered has probably rejected the certificate', () => {
    const reset = failure('ECONNRESET')
    expect(connectionError(reset, { ...connection, hasAnswered: false })).toMatchObject({
      reason: 'certificate_rejected',
    })
    const without = { ...connection, hasAnswered: false, hasCertificate: false }
    expect(connectionError(reset, without)).toMatchObject({ reason: 'connection_lost' })
  })

  it.each([
    ["the caller's signal", new DOMException('mine', 'AbortError')],
    ['a wrong argument', new TypeError('Invalid header')],
  ])('leaves as it is what comes of %s', (_, thrown) => {
    expect(connectionError(thrown, connection)).toBe(thrown)
  })
})

/** What Node's `fetch` throws. */
function failure(code: string): TypeError {
  return new TypeError('fetch failed', { cause: Object.assign(new Error('failed'), { code }) })
}
