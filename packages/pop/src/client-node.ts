export type { AccessToken } from './client/access-token.ts'
export {
  type AssertionKey,
  type AuthenticationTarget,
  type ClientAuthentication,
  type Credentials,
  clientSecret,
  clientSecretBasic,
  clientSecretPost,
  none,
  privateKeyJwt,
  selfSignedTlsClientAuth,
  tlsClientAuth,
} from './client/authentication.ts'
export type { IdTokenClaims } from './client/authorization/id-token.ts'
export type { Authorization, AuthorizationRequest, PendingAuthorization } from './client/authorization/request.ts'
export {
  createSession,
  type Redeemed,
  type Session,
  type SessionOptions,
  type SharedRefreshToken,
} from './client/authorization/session.ts'
export type { Introspection, TokenRequest } from './client/client.ts'
export { ClientError, type ClientErrorDetails, type ClientErrorReason } from './client/client-error.ts'
export type { ClientContext, Fetch } from './client/context.ts'
export type { ProtectedFetch } from './client/protected-fetch.ts'
export type { TokenScope } from './client/tokens.ts'
export { createClientCertificate } from './node/certificates/make.ts'
export { openBrowser } from './node/client/browser.ts'
export { createClient, type NodeClient, type NodeClientOptions } from './node/client/client.ts'
export { type KeptProofKey, type KeptSignIn, type KeyFileLock, type KeyStore, keyFile } from './node/client/key-file.ts'
export type { LoopbackOptions } from './node/client/loopback.ts'
export { type KeyPair, MutualTls, type MutualTlsOptions } from './node/client/mutual-tls.ts'
export { type SignedIn, type SignInOptions, signIn } from './node/client/sign-in.ts'
export {
  type CallbackRequest,
  createSignIn,
  type WebSignIn,
  type WebSignInOptions,
  type WebSignInRequest,
} from './node/client/web-sign-in.ts'
export { createProofKey, generateProofKey, proofKeyOf } from './node/proof-key.ts'
export type { ProofKey } from './proof/dpop.ts'
