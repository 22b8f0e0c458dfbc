import type { CertificateFacts, CertificateKey, PresentedCertificate } from '../foundation/certificate-facts.ts'
import type { Seconds } from '../foundation/clock.ts'
import type { Primitives } from '../foundation/primitives.ts'
import { Refused } from '../oauth/refusal.ts'
import { type CertificatePossession, vouch } from './possession.ts'

/** A client's clock may run this far ahead when it makes its certificate. */
export const toleratedAhead: Seconds = 300

/**
 * Turns the certificate of a connection into evidence: dates, kind and size of the key. RFC 8705 §3.
 *
 * Does not look at issuer, names, purpose or path: for binding they do not count (RFC 8705 §6.2). Who authenticates
 * a client by its certificate must check those.
 *
 * @throws {@link Refused} `certificate_unreadable`, `certificate_expired`, `certificate_not_yet_valid`, `certificate_key_unacceptable`
 */
export function verifyCertificate(
  presented: PresentedCertificate,
  now: Seconds,
  { readCertificate }: Pick<Primitives, 'readCertificate'>,
): CertificatePossession {
  const { thumbprint, publicKeyThumbprint, notBefore, notAfter, key } = read(presented, readCertificate)
  if (now > notAfter) throw new Refused('certificate_expired', { seen: `notAfter ${notAfter}` })
  if (now + toleratedAhead < notBefore)
    throw new Refused('certificate_not_yet_valid', { seen: `notBefore ${notBefore}` })
  if (!isAcceptableKey(key)) throw new Refused('certificate_key_unacceptable', { seen: key.type })
  return vouch<CertificatePossession>({ member: 'x5t#S256', thumbprint, publicKeyThumbprint })
}

/** Where a token is presented, an unacceptable certificate makes the token unacceptable, whatever is wrong with it. RFC 8705 §3. */
export function asTokenRefusal(refused: Refused): Refused {
  const { reason } = refused
  if (!reason.startsWith('certificate_')) return refused
  return new Refused('confirmation_certificate_unacceptable', { seen: reason, cause: refused })
}

/** Says whether a certificate's key is of a kind and size that we accept. RFC 8705 §7.4. */
export function isAcceptableKey(key: CertificateKey): boolean {
  switch (key.type) {
    case 'EC':
      return key.curve === 'P-256' || key.curve === 'P-384' || key.curve === 'P-521'
    case 'RSA':
      return key.bits >= 2048 && key.bits <= 4096 && key.exponent === 65_537n
    case 'unknown':
      return false
    default:
      return true
  }
}

function read(presented: PresentedCertificate, readCertificate: Primitives['readCertificate']): CertificateFacts {
  try {
    return readCertificate(presented)
  } catch (cause) {
    throw new Refused('certificate_unreadable', { cause })
  }
}
