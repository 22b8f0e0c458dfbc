import type { JsonObject } from '../foundation/json.ts'

/**
 * The members of authorization server metadata that this library reads. RFC 8414 §2, RFC 8705 §3.3 and §5,
 * RFC 9126 §5, RFC 9207 §3, OpenID Connect RP-Initiated Logout 1.0 §2.1.
 */
export interface ServerMetadata extends JsonObject {
  readonly issuer: string
  readonly authorization_endpoint?: string
  readonly pushed_authorization_request_endpoint?: string
  readonly token_endpoint?: string
  readonly jwks_uri?: string
  readonly introspection_endpoint?: string
  readonly revocation_endpoint?: string
  readonly userinfo_endpoint?: string
  readonly end_session_endpoint?: string
  readonly code_challenge_methods_supported?: readonly string[]
  readonly authorization_response_iss_parameter_supported?: boolean
  readonly token_endpoint_auth_methods_supported?: readonly string[]
  readonly tls_client_certificate_bound_access_tokens?: boolean
  readonly mtls_endpoint_aliases?: { readonly [endpoint: string]: string }
}
