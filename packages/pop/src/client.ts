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
export { type BrowserKeyStore, type BrowserKeyStoreOptions, openKeyStore } from './client/browser/key-store.ts'
export {
  type BrowserSignIn,
  type BrowserSignInOptions,
  createBrowserSignIn,
  type SignedInHere,
} from './client/browser/sign-in.ts'
export {
  type Client,
  type ClientOptions,
  createClient,
  type Introspection,
  type TokenRequest,
} from './client/client.ts'
export { ClientError, type ClientErrorDetails, type ClientErrorReason } from './client/client-error.ts'
export { type ClientContext, type Fetch, webContext } from './client/context.ts'
export type { ProtectedFetch } from './client/protected-fetch.ts'
export type { TokenScope } from './client/tokens.ts'
export type { ProofKey } from './proof/dpop.ts'
