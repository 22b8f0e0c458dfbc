/** The tables as they are after the last migration. Times are integers in seconds, JSON is text. */
export interface Schema {
  readonly client: ClientTable
  readonly reference_token: ReferenceTokenTable
  readonly jwt_revocation: JwtRevocationTable
  readonly single_use: SingleUseTable
  readonly signing_key: SigningKeyTable
}

interface ClientTable {
  readonly client_id: string
  /** A `Client` in JSON, without its client_id. */
  readonly registration: string
}

interface ReferenceTokenTable {
  readonly hash: string
  readonly jti: string
  readonly client_id: string
  readonly subject: string
  readonly scope: string
  /** An array of strings in JSON. */
  readonly audience: string
  /** A `Confirmation` in JSON. */
  readonly confirmation: string | null
  readonly issued: number
  readonly expires: number
}

interface JwtRevocationTable {
  readonly jti: string
  readonly expires: number
}

interface SingleUseTable {
  readonly kind: string
  readonly key: string
  readonly expires: number
}

interface SigningKeyTable {
  readonly kid: string
  /** Counts up in the order of making. */
  readonly position: number
  readonly algorithm: string
  readonly stage: string
  readonly public_jwk: string
  readonly sealed: string
  readonly created: number
  /** When it became active, then when it was retired. */
  readonly since: number | null
  readonly expires: number | null
}
