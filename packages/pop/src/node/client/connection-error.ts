import { ClientError } from '../../client/client-error.ts'

/** What is known of the connection that failed. */
export interface FailedConnection {
  readonly origin: string
  /** This client showed a certificate. */
  readonly hasCertificate: boolean
  /** The server has answered over connections like this one before. */
  readonly hasAnswered: boolean
}

/**
 * Gives a failed `fetch` its reason. What the caller's own signal threw stays as it is.
 *
 * In TLS 1.3 the client's handshake ends before the server has judged the certificate: a refusal is seen as an alert, or
 * as a closed connection, at the first read. A connection that ends so before this server ever answered is most likely
 * that.
 */
export function connectionError(thrown: unknown, { origin, hasCertificate, hasAnswered }: FailedConnection): unknown {
  const cause = thrown instanceof TypeError && thrown.cause !== undefined ? thrown.cause : thrown
  const code = codeOf(cause)
  const detail = `${origin} (${code})`
  if (closed.has(code)) return new ClientError('client_closed', { cause })
  if (timeouts.has(code)) return new ClientError('deadline_exceeded', { detail, cause })
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new ClientError('server_untrusted', { detail: `It is for another name: ${detail}.`, cause })
  }
  if (untrusted.test(code))
    return new ClientError('server_untrusted', { detail: `${trustHint(code)} ${detail}`, cause })
  if (hasCertificate && rejection.test(code)) return new ClientError('certificate_rejected', { detail, cause })
  if (lost.has(code)) {
    if (hasAnswered || !hasCertificate) return new ClientError('connection_lost', { detail, cause })
    return new ClientError('certificate_rejected', { detail: `It closed a fresh connection: ${detail}.`, cause })
  }
  return cause !== thrown ? new ClientError('connection_failed', { detail, cause }) : thrown
}

const timeouts = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'])

const closed = new Set(['UND_ERR_CLOSED', 'UND_ERR_DESTROYED'])

const lost = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

/** OpenSSL's names of what can be wrong with a server's certificate. */
const untrusted =
  /^(?:CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERROR_IN_CERT|INVALID_(?:CA|PURPOSE)|PATH_LENGTH|HOSTNAME_MISMATCH|UNSPECIFIED)/

/** The alerts that speak of a client's certificate. RFC 8446 §6.2. */
const rejection = /^ERR_SSL_.*ALERT_(?:.*CERTIFICATE.*|UNKNOWN_CA|ACCESS_DENIED|DECRYPT_ERROR)$/

function trustHint(code: string): string {
  if (code === 'CERT_HAS_EXPIRED') return 'It has expired:'
  if (code === 'CERT_NOT_YET_VALID') return 'It is not valid yet:'
  if (code === 'INVALID_PURPOSE') return 'It is not made for servers:'
  return "Name the authority that issued it with the client's ca option:"
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown cause'
}
