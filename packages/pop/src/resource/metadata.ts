import type { JsonObject } from '../foundation/json.ts'
import type { TokenScheme } from '../oauth/token-scheme.ts'
import { protectedResourceMetadataUrl } from '../oauth/well-known.ts'

/** What an API says about itself, and where. RFC 9728. */
export interface ResourceMetadata {
  /** Where clients find it: goes into challenges as `resource_metadata`. */
  readonly url: string
  /** The request target below the API's origin. */
  readonly target: string
  readonly document: JsonObject
}

/** How a request can show the key of its token. RFC 8705 §3, RFC 9449 §7. */
export type ProofMethod = 'mutual-tls' | 'dpop'

/** What an API takes. */
export interface ResourceDescription {
  readonly identifier: string
  readonly issuer: string
  readonly scopes?: readonly string[]
  readonly methods: readonly ProofMethod[]
  /** The schemes of the Authorization header. */
  readonly schemes: readonly TokenScheme[]
  /** The algorithms of proofs. */
  readonly algorithms: readonly string[]
}

/**
 * Creates the metadata of an API: says no more than what is true. RFC 9728 §2.
 * @returns undefined for an API whose identifier is no https address: RFC 9728 §1.2 gives it no place
 */
export function createResourceMetadata({
  identifier,
  issuer,
  scopes,
  methods,
  schemes,
  algorithms,
}: ResourceDescription): ResourceMetadata | undefined {
  if (!identifier.startsWith('https://')) return undefined
  const url = protectedResourceMetadataUrl(identifier)
  const takesBearer = schemes.includes('Bearer')
  return {
    url,
    target: url.slice(new URL(url).origin.length),
    document: {
      resource: identifier,
      authorization_servers: [issuer],
      bearer_methods_supported: takesBearer ? ['header'] : [],
      ...(scopes && { scopes_supported: scopes }),
      ...(methods.includes('mutual-tls') && { tls_client_certificate_bound_access_tokens: true }),
      ...(methods.includes('dpop') && { dpop_signing_alg_values_supported: algorithms }),
      ...(!takesBearer && { dpop_bound_access_tokens_required: true }),
    },
  }
}
