import { hash, type KeyObject, X509Certificate } from 'node:crypto'
import type { CertificateFacts, CertificateKey } from '../../foundation/certificate-facts.ts'
import type { Seconds } from '../../foundation/clock.ts'
import { Refused } from '../../oauth/refusal.ts'

/** The largest text that is looked at: hundreds of certificates. */
const longestPem = 1_048_576

const block =
  /-----BEGIN CERTIFICATE-----\r?\n((?:[A-Za-z0-9+/]{64}\r?\n)*[A-Za-z0-9+/]{1,64}={0,2}\r?\n)-----END CERTIFICATE-----(?:\r?\n|$)(?:\r?\n)*/y

/**
 * Parses certificates in strict PEM: nothing but CERTIFICATE blocks in lines of 64 characters, each one DER. RFC 7468 §3.
 * @throws {@link Refused} `certificate_unreadable`, also for a text without a certificate
 */
export function parsePem(text: string): readonly Buffer[] {
  if (text.length > longestPem)
    throw new Refused('certificate_unreadable', { seen: `PEM of ${text.length} characters` })
  const found: Buffer[] = []
  block.lastIndex = 0
  while (block.lastIndex < text.length) {
    const at = block.lastIndex
    const match = block.exec(text)
    if (!match?.[1]) throw new Refused('certificate_unreadable', { seen: `no strict PEM at character ${at}` })
    const der = decodeBase64(match[1].replace(/[\r\n]+/g, ''))
    x509Of(der)
    found.push(der)
  }
  if (found.length === 0) throw new Refused('certificate_unreadable', { seen: 'empty PEM' })
  return found
}

/**
 * The DER of one certificate, given as strict PEM or as DER.
 * @throws {@link Refused} `certificate_unreadable`, also for a PEM of several
 */
export function derOf(certificate: string | Uint8Array): Buffer {
  if (typeof certificate !== 'string') return Buffer.from(x509Of(certificate).raw)
  const [der, second] = parsePem(certificate)
  if (!der || second) throw new Refused('certificate_unreadable', { seen: 'more than one certificate' })
  return der
}

/** Renders a certificate as PEM, in the form that {@link parsePem} reads. */
export function pemOf(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

/** The `x5t#S256` of a certificate: SHA-256 over exactly these bytes. RFC 8705 §3.1. */
export function thumbprintOf(der: Uint8Array): string {
  return hash('sha256', der, 'base64url')
}

/** One way of writing a certificate's thumbprint. */
export interface ThumbprintSpelling {
  readonly name: string
  readonly value: string
  /** `x5t#S256`: the value of the claim. `same`: the same bytes, written in another way. `wrong`: a mistake that people make. */
  readonly use: 'x5t#S256' | 'same' | 'wrong'
}

/** Every spelling of a certificate's thumbprint that people meet, the right one first. RFC 8705 §3.1. */
export function thumbprintSpellings(der: Uint8Array): readonly ThumbprintSpelling[] {
  const hex = hash('sha256', der, 'hex')
  return [
    { name: 'base64url', value: thumbprintOf(der), use: 'x5t#S256' },
    { name: 'base64 with padding', value: hash('sha256', der, 'base64'), use: 'same' },
    { name: 'hex', value: hex, use: 'same' },
    { name: 'HEX', value: hex.toUpperCase(), use: 'same' },
    { name: 'openssl x509 -fingerprint -sha256', value: colons(hex), use: 'same' },
    { name: 'openssl x509 -fingerprint -sha1', value: colons(hash('sha1', der, 'hex')), use: 'wrong' },
    { name: 'base64url of the hex text', value: Buffer.from(hex).toString('base64url'), use: 'wrong' },
  ]
}

/**
 * What binding needs to know of a certificate.
 *
 * Judges nothing but the encoding: dates and key are for `verifyCertificate`.
 *
 * @throws {@link Refused} `certificate_unreadable`: no certificate, not strict DER, or a key that cannot be decoded
 */
export function factsOf(der: Uint8Array): CertificateFacts {
  const x509 = x509Of(der)
  try {
    const { publicKey } = x509
    return {
      thumbprint: thumbprintOf(der),
      publicKeyThumbprint: thumbprintOf(publicKey.export({ type: 'spki', format: 'der' })),
      notBefore: secondsOf(x509.validFromDate),
      notAfter: secondsOf(x509.validToDate),
      key: certificateKeyOf(publicKey),
    }
  } catch (cause) {
    throw new Refused('certificate_unreadable', { cause })
  }
}

/**
 * Reads one certificate in strict DER. OpenSSL takes other encodings too, and hashes its own re-encoding of them, so
 * that a thumbprint would depend on who computes it.
 * @throws {@link Refused} `certificate_unreadable`
 */
export function x509Of(der: Uint8Array): X509Certificate {
  // PEM passes for DER in X509Certificate.
  if (der[0] !== 0x30) throw new Refused('certificate_unreadable', { seen: 'not DER' })
  let x509: X509Certificate
  try {
    x509 = new X509Certificate(der)
  } catch (cause) {
    throw new Refused('certificate_unreadable', { cause })
  }
  if (!x509.raw.equals(der)) throw new Refused('certificate_unreadable', { seen: 'not strict DER' })
  return x509
}

/**
 * Decodes standard base64 in its one canonical spelling. RFC 4648 §4, RFC 7517 §4.7.
 * @throws {@link Refused} `certificate_unreadable`
 */
export function decodeBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (text === '' || bytes.toString('base64') !== text)
    throw new Refused('certificate_unreadable', { seen: 'not canonical base64' })
  return bytes
}

const curves: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' }

/** A public key's kind and size. */
export function certificateKeyOf({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): CertificateKey {
  const { namedCurve = 'unnamed', modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails
  switch (asymmetricKeyType) {
    case 'ec':
      return { type: 'EC', curve: curves[namedCurve] ?? namedCurve }
    case 'rsa':
    case 'rsa-pss':
      return { type: 'RSA', bits: modulusLength, exponent: publicExponent }
    case 'ed25519':
      return { type: 'Ed25519' }
    case 'ml-dsa-44':
      return { type: 'ML-DSA-44' }
    case 'ml-dsa-65':
      return { type: 'ML-DSA-65' }
    case 'ml-dsa-87':
      return { type: 'ML-DSA-87' }
    default:
      return { type: 'unknown' }
  }
}

function secondsOf(date: Date): Seconds {
  const seconds = Math.floor(date.getTime() / 1000)
  if (!Number.isFinite(seconds)) throw new RangeError('a date that is none')
  return seconds
}

function colons(hex: string): string {
  return (hex.toUpperCase().match(/../g) ?? []).join(':')
}
