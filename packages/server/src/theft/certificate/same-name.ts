import { X509Certificate } from 'node:crypto'
import {
  type CertificatePair,
  formatDistinguishedName,
  issueCertificate,
  parseDistinguishedName,
} from '@holdfast/pop/certificates'
import { present } from '../judge.ts'
import type { Loot, Theft } from '../theft.ts'

/** A certificate of the thief's own that bears the owner's name: binding is to a key, never to a name. RFC 8705 §6.2. */
export const sameName: Theft = {
  name: 'same name',
  against: 'certificate',
  says: 'a certificate of the same name',
  async attempt(loot) {
    const { certificate, key } = await namesake(loot)
    return [await present(loot, { certificate, key })]
  },
}

/** Makes a certificate that bears the owner's whole name. */
export async function namesake({ certificate, name }: Loot): Promise<CertificatePair> {
  const whole = certificate && formatDistinguishedName(new X509Certificate(certificate).raw)
  const subject = (whole && parseDistinguishedName(whole)) || name
  return await issueCertificate({
    subject,
    keyType: 'P-256',
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['clientAuth'],
  })
}
