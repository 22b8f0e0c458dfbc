import { constants } from 'node:crypto'

/** Options of every TLS listener: TLS 1.2 with forward secrecy or 1.3, no renegotiation, ten seconds to shake hands. */
export const tlsOptions = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
  ].join(':'),
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  handshakeTimeout: 10_000,
} as const

/**
 * Options of a listener that asks for a client certificate and takes any: what it must satisfy is judged per request.
 *
 * * Without CA names, because Java, Go and .NET send no certificate that no name fits, and the binding is lost in silence.
 * * Signature algorithms by name, since ML-DSA certificates vanish without an error where they are not listed.
 * * Without resumption: a resumed session proves a session secret, not the key of the certificate. RFC 8705 §7.1.
 * * HTTP/1.1 only: one connection, one identity.
 *
 * @example
 * createServer({ ...clientCertificateTlsOptions, key, cert }, protect(guard, handler))
 */
export const clientCertificateTlsOptions = {
  ...tlsOptions,
  requestCert: true,
  rejectUnauthorized: false,
  ca: [] as string[],
  sigalgs: [
    'ecdsa_secp256r1_sha256',
    'ecdsa_secp384r1_sha384',
    'ecdsa_secp521r1_sha512',
    'ed25519',
    'rsa_pss_rsae_sha256',
    'rsa_pss_rsae_sha384',
    'rsa_pss_rsae_sha512',
    'rsa_pss_pss_sha256',
    'rsa_pkcs1_sha256',
    'rsa_pkcs1_sha384',
    'rsa_pkcs1_sha512',
    'mldsa44',
    'mldsa65',
    'mldsa87',
  ].join(':'),
  secureOptions: tlsOptions.secureOptions | constants.SSL_OP_NO_TICKET,
  ALPNProtocols: ['http/1.1'] as string[],
} as const
