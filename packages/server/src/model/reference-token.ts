import type { Confirmation, JsonObject, Seconds } from '@holdfast/pop'

/** What an access token grants, whatever its form. RFC 9068 §2.2, RFC 7662 §2.2. */
export interface AccessGrant {
  readonly subject: string
  readonly clientId: string
  readonly scope: string
  readonly audience: readonly string[]
  readonly confirmation?: Confirmation
  /** The authorization that it follows from: ends with it. The `jti` of a JWT begins with it and a dot. */
  readonly authorizationId?: string
  /** Who acts for the subject, after a token exchange. RFC 8693 §4.1. */
  readonly actor?: JsonObject
}

/** A reference token at rest: what it grants, found by the SHA-256 of its handle. */
export interface ReferenceToken extends AccessGrant {
  /** Base64url of the SHA-256 over the handle: the handle itself is never stored. */
  readonly hash: string
  readonly jti: string
  readonly issued: Seconds
  readonly expires: Seconds
}
