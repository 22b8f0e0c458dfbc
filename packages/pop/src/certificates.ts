export {
  type DistinguishedName,
  isSameName,
  type NameAttribute,
  parseDistinguishedName,
  type RelativeName,
  readDistinguishedName,
  renderDistinguishedName,
} from './node/certificates/distinguished-name.ts'
export type {
  AlternativeNames,
  ExtendedKeyUsage,
  KeyUsage,
  RawExtension,
} from './node/certificates/extensions.ts'
export { type KeyType, keyTypes } from './node/certificates/key-type.ts'
export {
  type CertificateOptions,
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  issueCertificate,
  type MakingContext,
} from './node/certificates/make.ts'
export { type PathOptions, verifyPath } from './node/certificates/path.ts'
export {
  certificateKeyOf,
  decodeBase64,
  derOf,
  factsOf,
  parsePem,
  pemOf,
  type ThumbprintSpelling,
  thumbprintOf,
  thumbprintSpellings,
  x509Of,
} from './node/certificates/read.ts'
export { registeredCertificate, sameCertificate } from './node/certificates/registered.ts'
export { issueRevocationList, parseCrls, type RevocationListOptions } from './node/certificates/revocation.ts'
export {
  formatDistinguishedName,
  isSubjectValue,
  matchesSubject,
  type RegisteredSubject,
  type SubjectKind,
} from './node/certificates/subject.ts'
export { nodePrimitives } from './node/primitives.ts'
export { generateKeyFor, signBy } from './node/signature-algorithm.ts'
