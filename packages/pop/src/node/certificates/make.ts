import { createPrivateKey, createPublicKey, hash, type KeyObject, randomBytes } from 'node:crypto'
import { BitString, Constructed, fromBER, GeneralizedTime, Integer, Sequence, UTCTime } from 'asn1js'
import type { Clock, Seconds } from '../../foundation/clock.ts'
import { type DistinguishedName, encodeDistinguishedName } from './distinguished-name.ts'
import {
  type AlternativeNames,
  authorityKeyIdentifier,
  basicConstraints,
  type ExtendedKeyUsage,
  encodeExtensions,
  extendedKeyUsage,
  extensionIds,
  type KeyUsage,
  keyUsage,
  type RawExtension,
  subjectAltName,
  subjectKeyIdentifier,
} from './extensions.ts'
import { generatePrivateKey, type KeyType } from './key-type.ts'
import { derOf, pemOf, thumbprintOf } from './read.ts'
import { type Digest, signerOf } from './signature.ts'
import { extensionOf, structureOf } from './structure.ts'

/** A certificate and its private key, as people keep them in files. */
export interface CertificatePair {
  /** PEM. */
  readonly certificate: string
  /** PEM, PKCS #8. */
  readonly key: string
  /** The `x5t#S256` of tokens that are bound to the certificate. RFC 8705 §3.1. */
  readonly thumbprint: string
}

/** What making needs of the platform; the system's where left out. */
export interface MakingContext {
  readonly now?: Clock
  /** @returns cryptographically strong bytes */
  readonly random?: (length: number) => Uint8Array
}

/** What a certificate shall say. */
export interface CertificateOptions extends AlternativeNames {
  /** A common name, or a whole name with its most significant part first. */
  readonly subject: string | DistinguishedName
  /** Who signs; without it the certificate is self-signed. */
  readonly issuer?: Pick<CertificatePair, 'certificate' | 'key'>
  /** @default 'RSA' */
  readonly keyType?: KeyType
  /** PEM of a private key to use instead of a new one: a renewal. */
  readonly key?: string
  /** Days from now until the certificate ends. @default 10 */
  readonly days?: number
  /** @default a day ago, for clocks that are behind */
  readonly notBefore?: Seconds
  /** Goes before `days`. */
  readonly notAfter?: Seconds
  readonly isCa?: boolean
  /** How many CAs may follow below this one. */
  readonly pathLength?: number
  readonly keyUsage?: readonly KeyUsage[]
  readonly extendedKeyUsage?: readonly ExtendedKeyUsage[]
  /** Written after the others; one of the same OID takes the place of ours. */
  readonly extensions?: readonly RawExtension[]
  /** Version 1 has no extensions: what `openssl x509 -req` makes. @default 3 */
  readonly version?: 1 | 3
  /** For RSA and EC keys of the issuer. @default 'sha256' */
  readonly digest?: Digest
}

const day: Seconds = 86_400

/**
 * Makes a client's certificate on the fly: self-signed, a common name, for client authentication, from a day ago.
 * @param days how long it is good from now on
 */
export function createClientCertificate(
  { name, keyType = 'RSA', days = 10, key }: { name: string; keyType?: KeyType; days?: number; key?: string },
  context?: MakingContext,
): Promise<CertificatePair> {
  const keyUsage: readonly KeyUsage[] =
    keyType === 'RSA' ? ['digitalSignature', 'keyEncipherment', 'dataEncipherment'] : ['digitalSignature']
  const asked = key === undefined ? {} : { key }
  return issueCertificate(
    { subject: name, keyType, days, keyUsage, extendedKeyUsage: ['clientAuth'], ...asked },
    context,
  )
}

/**
 * Makes a certificate authority: a root, or one below `issuer`.
 * @param days how long it is good from now on
 */
export function createCertificateAuthority(
  options: Omit<CertificateOptions, 'subject' | 'isCa'> & { readonly name: string | DistinguishedName },
  context?: MakingContext,
): Promise<CertificatePair> {
  const { name, days = 3650, keyType = 'P-256', ...rest } = options
  const keyUsage: readonly KeyUsage[] = ['keyCertSign', 'cRLSign']
  return issueCertificate({ keyUsage, ...rest, days, keyType, subject: name, isCa: true }, context)
}

/** Makes a certificate, and its key unless one is given. The bytes are signed by `node:crypto`. */
export async function issueCertificate(
  options: CertificateOptions,
  context: MakingContext = {},
): Promise<CertificatePair> {
  const { now = systemNow, random = randomBytes } = context
  const { subject, issuer, keyType = 'RSA', key, days = 10, version = 3, digest } = options
  const privateKey = key === undefined ? await generatePrivateKey(keyType) : createPrivateKey(key)
  const publicKey = createPublicKey(privateKey)
  const { identifier, sign } = signerOf(issuer ? createPrivateKey(issuer.key) : privateKey, digest)
  const name = encodeDistinguishedName(typeof subject === 'string' ? [[{ type: '2.5.4.3', text: subject }]] : subject)
  const { notBefore = now() - day, notAfter = now() + days * day } = options
  const extensions = version === 1 ? [] : extensionsOf(options, publicKey)
  const tbs = new Sequence({
    value: [
      ...(version === 1 ? [] : [explicit(0, new Integer({ value: version - 1 }))]),
      new Integer({ valueHex: serialOf(random) }),
      identifier,
      issuer ? fromBER(structureOf(derOf(issuer.certificate)).subject).result : name,
      new Sequence({ value: [encodeTime(notBefore), encodeTime(notAfter)] }),
      name,
      fromBER(publicKey.export({ type: 'spki', format: 'der' })).result,
      ...(extensions.length === 0 ? [] : [explicit(3, encodeExtensions(extensions))]),
    ],
  })
  const der = signedStructure(tbs, identifier, sign)
  return {
    certificate: pemOf(der),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    thumbprint: thumbprintOf(der),
  }
}

/** Puts structure, algorithm and signature together. RFC 5280 §4.1, §5.1. */
export function signedStructure(tbs: Sequence, identifier: Sequence, sign: (bytes: Uint8Array) => Uint8Array): Buffer {
  const signature = new BitString({ valueHex: sign(Buffer.from(tbs.toBER())) })
  return Buffer.from(new Sequence({ value: [tbs, identifier, signature] }).toBER())
}

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on. */
export function encodeTime(moment: Seconds): UTCTime | GeneralizedTime {
  const valueDate = new Date(moment * 1000)
  return valueDate.getUTCFullYear() < 2050 ? new UTCTime({ valueDate }) : new GeneralizedTime({ valueDate })
}

function extensionsOf(options: CertificateOptions, publicKey: KeyObject): readonly RawExtension[] {
  const { isCa = false, pathLength, issuer, keyUsage: usages, extendedKeyUsage: purposes, extensions = [] } = options
  const names = subjectAltName(options)
  const ours = [
    ...(isCa ? [basicConstraints(true, pathLength)] : []),
    ...(usages?.length ? [keyUsage(usages, isCa || issuer !== undefined)] : []),
    ...(purposes?.length ? [extendedKeyUsage(purposes)] : []),
    ...(names ? [names] : []),
    ...(isCa || issuer ? [subjectKeyIdentifier(identifierOf(publicKey))] : []),
    ...(issuer ? authorityOf(derOf(issuer.certificate)) : []),
  ]
  return [...ours.filter(({ oid }) => !extensions.some((extra) => extra.oid === oid)), ...extensions]
}

/** Names the issuer's key, where the issuer names it itself. RFC 5280 §4.2.1.1. */
export function authorityOf(issuer: Uint8Array): readonly RawExtension[] {
  const value = extensionOf(structureOf(issuer), extensionIds.subjectKeyIdentifier)?.value
  return value ? [authorityKeyIdentifier(value.subarray(2))] : []
}

/** RFC 7093 §2 (1): the leftmost 160 bits of the SHA-256. */
function identifierOf(publicKey: KeyObject): Buffer {
  return hash('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'buffer').subarray(0, 20)
}

/** Sixteen random bytes, positive and never shorter. RFC 5280 §4.1.2.2. */
function serialOf(random: (length: number) => Uint8Array): Uint8Array {
  const serial = Uint8Array.from(random(16))
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  return serial
}

/** Puts an element under a context tag of its own. */
export function explicit(tagNumber: number, value: Integer | Sequence): Constructed {
  return new Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [value] })
}

function systemNow(): Seconds {
  return Math.floor(Date.now() / 1000)
}
