/** The tables as they are after the last migration. Times are integers in seconds, JSON is text. */
export interface Schema {
  readonly client: ClientTable
  readonly reference_token: ReferenceTokenTable
  readonly jwt_revocation: JwtRevocationTable
  readonly single_use: SingleUseTable
  readonly signing_key: SigningKeyTable
  readonly pushed_request: PushedRequestTable
  readonly flow: FlowTable
  readonly session: SessionTable
  readonly consent: ConsentTable
  readonly authorization: AuthorizationTable
  readonly code: CodeTable
  readonly refresh_token: RefreshTokenTable
  readonly device_authorization: DeviceAuthorizationTable
  readonly state: StateTable
  readonly audit: AuditTable
  readonly audit_head: AuditHeadTable
  readonly attempt: AttemptTable
}

/** One row. */
interface StateTable {
  /** Moves with each change of clients and signing keys. */
  readonly changes: number
  /** When it was last restored from a backup: JWTs from before are revoked. */
  readonly restored: number | null
  /** 32 bytes, sealed under the encryption key: other keys are derived from them. */
  readonly secret: string | null
}

/** Only ever added to. */
interface AuditTable {
  readonly node: string
  /** From 1, without a gap. */
  readonly number: number
  readonly time: number
  readonly event: string
  /** An `AuditEntry` in JSON, without its event. */
  readonly entry: string
  readonly mac: string
}

/** Where each node's chain ends. */
interface AuditHeadTable {
  readonly node: string
  /** Of its last link, as is the mac. */
  readonly number: number
  readonly mac: string
  /** An `auditSeal`. */
  readonly seal: string
}

interface AttemptTable {
  readonly key: string
  readonly count: number
  readonly until: number
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
  readonly authorization_id: string | null
  /** An object in JSON. */
  readonly actor: string | null
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

interface PushedRequestTable {
  readonly hash: string
  readonly client_id: string
  /** An `AuthorizationRequest` in JSON. */
  readonly request: string
  readonly expires: number
}

interface FlowTable {
  readonly hash: string
  readonly browser: string
  readonly client_id: string
  /** An `AuthorizationRequest` in JSON. */
  readonly request: string
  readonly pushed_request: string | null
  readonly created: number
  readonly expires: number
}

interface SessionTable {
  readonly hash: string
  readonly sid: string
  readonly subject: string
  readonly authenticated: number
  /** An array of strings in JSON. */
  readonly methods: string
  readonly expires: number
}

interface ConsentTable {
  readonly subject: string
  readonly client_id: string
  readonly scope: string
}

interface AuthorizationTable {
  readonly id: string
  readonly client_id: string
  readonly subject: string
  readonly scope: string
  /** An array of strings in JSON. */
  readonly resources: string
  /** An array of objects in JSON. */
  readonly authorization_details: string
  readonly sid: string | null
  readonly authenticated: number
  /** An array of strings in JSON. */
  readonly methods: string
  readonly nonce: string | null
  readonly created: number
  readonly expires: number
  readonly revoked: number | null
}

interface CodeTable {
  readonly hash: string
  readonly authorization_id: string
  readonly client_id: string
  readonly redirect_uri: string
  /** 0 or 1. */
  readonly redirect_uri_given: number
  readonly code_challenge: string
  /** A `KeyBinding` in JSON. */
  readonly binding: string | null
  readonly expires: number
  readonly redeemed: number | null
}

interface RefreshTokenTable {
  readonly hash: string
  readonly authorization_id: string
  readonly client_id: string
  /** `public` or `confidential`. */
  readonly holder: string
  /** A `KeyBinding` in JSON. */
  readonly binding: string | null
  /** 0 or 1. */
  readonly began_bound: number
  /** Once in each family. */
  readonly generation: number
  readonly created: number
  readonly expires: number
  readonly replaced: number | null
}

interface DeviceAuthorizationTable {
  readonly hash: string
  readonly user_code_hash: string
  readonly client_id: string
  readonly scope: string
  /** An array of strings in JSON. */
  readonly resources: string
  /** A `KeyBinding` in JSON. */
  readonly binding: string | null
  readonly created: number
  readonly expires: number
  readonly stage: string
  /** When it was approved. */
  readonly authorization_id: string | null
  readonly polled: number | null
  /** The poll before the last one. */
  readonly polled_before: number | null
}
