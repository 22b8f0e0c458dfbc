import type { PresentedCertificate } from './certificate-facts.ts'
import type { JsonObject } from './json.ts'

/** A request as data: it can be stored as a vector and built by a test in one line. */
export interface Inbound {
  readonly method: string
  /** The configured origin of the listener that took the request and the raw target. Never the `Host` header. */
  readonly url: string
  /** Lower-case names; every instance of a repeated header in order. */
  readonly headers: { readonly [name: string]: readonly string[] | undefined }
  /** The form of the body in order, repeated names included. */
  readonly form?: readonly (readonly [name: string, value: string])[]
  /** The body, where it is a JSON object instead. */
  readonly json?: JsonObject
  readonly certificate?: PresentedCertificate | undefined
  /** The address of the connection's other end, for counting failures. */
  readonly address?: string
}
