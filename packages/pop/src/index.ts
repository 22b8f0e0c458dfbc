export { decodeBase64url, encodeBase64url } from './foundation/base64url.ts'
export type { CertificateFacts, CertificateKey, PresentedCertificate } from './foundation/certificate-facts.ts'
export { type Clock, isMoment, type Seconds } from './foundation/clock.ts'
export { equalInConstantTime } from './foundation/constant-time.ts'
export type { Inbound } from './foundation/inbound.ts'
export { isJsonObject, isStringArray, type JsonObject, parseJsonObject, parseJsonValue } from './foundation/json.ts'
export {
  isKeyFor,
  isSignatureAlgorithm,
  type PublicJwk,
  parsePublicJwk,
  type SignatureAlgorithm,
  signatureAlgorithms,
} from './foundation/jwk.ts'
export { jwkThumbprint, thumbprintInput } from './foundation/jwk-thumbprint.ts'
export { algorithmOf, isSignedBy, parseJwt, type UnverifiedJwt } from './foundation/jws.ts'
export type { Awaitable, Primitives } from './foundation/primitives.ts'
export { normalTargetUri } from './foundation/target-uri.ts'
export { type ChallengingApi, renderChallenge, renderTokenChallenges } from './oauth/challenge.ts'
export type { ServerMetadata } from './oauth/metadata.ts'
export { decodeForm, type Parameters, parseParameters } from './oauth/parameters.ts'
export { type Reason, type Refusal, Refused, refusals } from './oauth/refusal.ts'
export { parseScope } from './oauth/scope.ts'
export { findTokenScheme, type TokenScheme } from './oauth/token-scheme.ts'
export {
  authorizationServerMetadataUrl,
  openidConfigurationUrl,
  protectedResourceMetadataUrl,
} from './oauth/well-known.ts'
export { asTokenRefusal, isAcceptableKey, verifyCertificate } from './proof/certificate.ts'
export {
  type Confirmation,
  confirmationOf,
  parseConfirmation,
  requireConfirmed,
  requireScheme,
  schemeFor,
} from './proof/confirmation.ts'
export {
  createDpopProof,
  type DpopPolicy,
  isProofAlgorithm,
  type ProofAlgorithm,
  type ProofKey,
  type ProvenRequest,
  proofAhead,
  proofAlgorithms,
  proofLifetime,
  tokenHash,
  usualProofAlgorithms,
  type VerifiedProof,
  verifyDpopProof,
} from './proof/dpop.ts'
export { createDpopContext, type DpopContext } from './proof/dpop-context.ts'
export { createDpopNonces, type DpopNonces, nonceLifetime } from './proof/dpop-nonce.ts'
export { isKeyBindingShown, type KeyBinding, keyBindingOf } from './proof/key-binding.ts'
export type { CertificatePossession, DpopPossession, Possession } from './proof/possession.ts'
export { createMemoryReplay, type ProofUse, type Replay, requireFirstUse } from './proof/replay.ts'
