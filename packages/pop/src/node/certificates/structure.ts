import { Refused } from '../../oauth/refusal.ts'
import { type Asn1, isContext, isUniversal, oidOf, parseAsn1, tags } from './asn1.ts'

/** What the bytes of a certificate say, for checks that Node's strings cannot carry. RFC 5280 §4.1. */
export interface CertificateStructure {
  /** 1, 2 or 3, as people count. */
  readonly version: number
  /** Hex of the INTEGER's bytes. */
  readonly serial: string
  /** OID of the signature's algorithm. */
  readonly signatureAlgorithm: string
  /** DER of the Name. */
  readonly issuer: Buffer
  /** DER of the Name. */
  readonly subject: Buffer
  readonly extensions: readonly CertificateExtension[]
}

/** One extension; its value not looked into yet. */
export interface CertificateExtension {
  readonly oid: string
  readonly critical: boolean
  readonly value: Buffer
}

/**
 * Takes a certificate apart. Checks the shape only; that the bytes are DER is for `x509Of`.
 * @throws {@link Refused} `certificate_unreadable`, also for an extension that comes twice
 */
export function structureOf(der: Uint8Array): CertificateStructure {
  const structure = read(der)
  if (!structure) throw new Refused('certificate_unreadable', { seen: 'structure' })
  if (new Set(structure.extensions.map(({ oid }) => oid)).size !== structure.extensions.length)
    throw new Refused('certificate_unreadable', { seen: 'an extension twice' })
  return structure
}

/** Finds one extension. */
export function extensionOf(
  { extensions }: Pick<CertificateStructure, 'extensions'>,
  oid: string,
): CertificateExtension | undefined {
  return extensions.find((extension) => extension.oid === oid)
}

/** Reads a list of extensions: of a certificate, a revocation list or one of its entries. */
export function readExtensions(list: Asn1 | undefined): readonly CertificateExtension[] | undefined {
  if (!isUniversal(list, tags.sequence)) return undefined
  const found: CertificateExtension[] = []
  for (const { children } of list.children) {
    const oid = oidOf(children[0])
    const value = children.at(-1)
    const flag = children.length === 3 ? children[1] : undefined
    if (oid === undefined || !isUniversal(value, tags.octets)) return undefined
    if (flag && !isUniversal(flag, tags.boolean)) return undefined
    found.push({ oid, critical: flag !== undefined && flag.content[0] !== 0, value: value.content })
  }
  return found
}

function read(der: Uint8Array): CertificateStructure | undefined {
  const [tbs, algorithm, signature] = parseAsn1(der)?.children ?? []
  if (!tbs || !isUniversal(signature, tags.bits)) return undefined
  const explicit = isContext(tbs.children[0], 0) ? tbs.children[0].children[0] : undefined
  const [serial, , issuer, , subject, key, ...optional] = tbs.children.slice(explicit ? 1 : 0)
  const signatureAlgorithm = oidOf(algorithm?.children[0])
  if (!isUniversal(serial, tags.integer) || signatureAlgorithm === undefined || !key) return undefined
  if (!isUniversal(issuer, tags.sequence) || !isUniversal(subject, tags.sequence)) return undefined
  const list = optional.find((field) => isContext(field, 3))
  const extensions = list ? readExtensions(list.children[0]) : []
  return (
    extensions && {
      version: (explicit?.content[0] ?? 0) + 1,
      serial: serial.content.toString('hex'),
      signatureAlgorithm,
      issuer: issuer.whole,
      subject: subject.whole,
      extensions,
    }
  )
}
