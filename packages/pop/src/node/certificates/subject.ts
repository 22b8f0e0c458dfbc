import { isContext, isUniversal, parseAsn1, tags } from './asn1.ts'
import {
  isSameName,
  parseDistinguishedName,
  readDistinguishedName,
  renderDistinguishedName,
} from './distinguished-name.ts'
import { bytesOfIp, extensionIds } from './extensions.ts'
import { extensionOf, structureOf } from './structure.ts'

/** The registered values of which a `tls_client_auth` client has one. RFC 8705 §2.1.2. */
export type SubjectKind =
  | 'tls_client_auth_subject_dn'
  | 'tls_client_auth_san_dns'
  | 'tls_client_auth_san_uri'
  | 'tls_client_auth_san_ip'
  | 'tls_client_auth_san_email'

/** What a client is registered with. */
export interface RegisteredSubject {
  readonly kind: SubjectKind
  readonly value: string
}

/**
 * Says whether a certificate carries the registered subject. RFC 8705 §2.1.2.
 *
 * Everything is read from the bytes. A DNS name, URI, IP or e-mail address counts only in the subjectAltName, never in
 * the subject, and never as a wildcard. Names compare as RFC 5280 §7 says: DNS names and the host of an e-mail address
 * without regard to ASCII case, URIs to the letter, IP addresses by their bytes. Distinguished names compare part by
 * part, to the letter, which is stricter than §7.1.
 *
 * Does not look at who issued the certificate; `verifyPath` does.
 *
 * @throws Refused `certificate_unreadable`
 */
export function matchesSubject(der: Uint8Array, { kind, value }: RegisteredSubject): boolean {
  const structure = structureOf(der)
  if (kind === 'tls_client_auth_subject_dn') {
    const registered = parseDistinguishedName(value)
    const subject = readDistinguishedName(structure.subject)
    return registered !== undefined && subject !== undefined && isSameName(registered, subject)
  }
  const { tag, canonical } = alternatives[kind]
  const registered = canonical(value)
  const extension = extensionOf(structure, extensionIds.subjectAltName)
  if (!extension || !registered) return false
  const list = parseAsn1(extension.value)
  if (!isUniversal(list, tags.sequence)) return false
  return list.children.some((name) => {
    if (!isContext(name, tag)) return false
    const found = tag === 7 ? name.content : canonical(name.content.toString('latin1'))
    return found?.equals(registered)
  })
}

/** Says whether a value can be registered: a client with one that can match nothing would fail at run time only. */
export function isSubjectValue(kind: SubjectKind, value: string): boolean {
  if (kind === 'tls_client_auth_subject_dn') return parseDistinguishedName(value) !== undefined
  return alternatives[kind].canonical(value) !== undefined
}

/**
 * The subject of a certificate as `tls_client_auth_subject_dn` takes it. RFC 4514.
 * @returns undefined for an empty subject
 * @throws Refused `certificate_unreadable`
 */
export function formatDistinguishedName(der: Uint8Array): string | undefined {
  const name = readDistinguishedName(structureOf(der).subject)
  return name?.length ? renderDistinguishedName(name) : undefined
}

interface Alternative {
  /** The context tag of the GeneralName. RFC 5280 §4.2.1.6. */
  readonly tag: number
  /** The bytes that are compared; undefined for what is no such name. */
  readonly canonical: (text: string) => Buffer | undefined
}

const alternatives: Readonly<Record<Exclude<SubjectKind, 'tls_client_auth_subject_dn'>, Alternative>> = {
  tls_client_auth_san_email: { tag: 1, canonical: canonicalEmail },
  tls_client_auth_san_dns: { tag: 2, canonical: canonicalDns },
  tls_client_auth_san_uri: { tag: 6, canonical: canonicalUri },
  tls_client_auth_san_ip: { tag: 7, canonical: bytesOfIp },
}

const host =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/

/** RFC 5280 §7.2. An internationalized name is registered as certificates carry it, in A-labels. */
function canonicalDns(text: string): Buffer | undefined {
  return host.test(text) ? Buffer.from(text.toLowerCase()) : undefined
}

/** RFC 5280 §7.5. */
function canonicalEmail(text: string): Buffer | undefined {
  const at = text.lastIndexOf('@')
  const local = text.slice(0, at)
  const domain = text.slice(at + 1)
  if (at < 1 || !/^[\x21-\x7e]{1,64}$/.test(local) || !host.test(domain)) return undefined
  return Buffer.from(`${local}@${domain.toLowerCase()}`)
}

/** RFC 5280 §7.4. */
function canonicalUri(text: string): Buffer | undefined {
  return /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/.test(text) ? Buffer.from(text) : undefined
}
