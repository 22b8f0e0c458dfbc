import type { JsonObject } from '../foundation/json.ts'
import { protectedResourceMetadataUrl } from '../oauth/well-known.ts'

/** What an API says about itself, and where. RFC 9728. */
export interface ResourceMetadata {
  /** Where clients find it: goes into challenges as `resource_metadata`. */
  readonly url: string
  /** The request target below the API's origin. */
  readonly target: string
  readonly document: JsonObject
}

/**
 * Creates the metadata of an API. RFC 9728 §2.
 * @returns undefined for an API whose identifier is no https address: RFC 9728 §1.2 gives it no place
 */
export function createResourceMetadata({
  identifier,
  issuer,
  scopes,
}: {
  readonly identifier: string
  readonly issuer: string
  readonly scopes?: readonly string[]
}): ResourceMetadata | undefined {
  if (!identifier.startsWith('https://')) return undefined
  const url = protectedResourceMetadataUrl(identifier)
  return {
    url,
    target: url.slice(new URL(url).origin.length),
    document: {
      resource: identifier,
      authorization_servers: [issuer],
      bearer_methods_supported: ['header'],
      ...(scopes ? { scopes_supported: scopes } : {}),
      tls_client_certificate_bound_access_tokens: true,
    },
  }
}
