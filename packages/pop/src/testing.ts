export {
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  issueCertificate,
} from './node/certificates/make.ts'
export { presentInHandshake } from './testing/handshake.ts'
export { inboundWith } from './testing/inbound.ts'
export {
  createTestIssuer,
  generateTestKey,
  signJwt,
  type TestIssuer,
  type TestIssuerOptions,
  type TokenOverrides,
  testNow,
} from './testing/issuer.ts'
export { type ListeningIssuer, startTestIssuer } from './testing/listening-issuer.ts'
export {
  createTestProofKey,
  type ProofOverrides,
  signProof,
  type TestProofKey,
  type TestProofRequest,
} from './testing/proofs.ts'
