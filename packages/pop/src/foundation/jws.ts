import { decodeBase64url } from './base64url.ts'
import { type JsonObject, ownMembers, parseJsonObject } from './json.ts'
import { isKeyFor, isSignatureAlgorithm, type PublicJwk, type SignatureAlgorithm } from './jwk.ts'
import type { Primitives } from './primitives.ts'

/** A JWT in three parts, taken apart and not believed yet. RFC 7515 §7.1. */
export interface UnverifiedJwt {
  readonly header: JsonObject
  readonly claims: JsonObject
  /** The bytes that were signed. */
  readonly signed: Uint8Array<ArrayBuffer>
  readonly signature: Uint8Array<ArrayBuffer>
}

const utf8 = new TextEncoder()
/** A byte order mark is a character of the text, which is no JSON then. */
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The longest JWT that is looked at, in characters. */
const longest = 16_384

/**
 * Takes a compact JWT apart without believing it.
 * @param known the header, where the same text of it was parsed before
 * @returns undefined unless there are three canonical parts, the first two JSON objects; encrypted ones too. Of a member
 * that stands there twice, the last counts. RFC 7515 §4, RFC 7519 §4.
 */
export function parseJwt(text: string, known?: JsonObject): UnverifiedJwt | undefined {
  if (text.length > longest) return undefined
  const first = text.indexOf('.')
  const second = text.indexOf('.', first + 1)
  if (first < 1 || second < 0 || text.indexOf('.', second + 1) >= 0) return undefined
  const header = known ?? parsePart(text.slice(0, first))
  const claims = parsePart(text.slice(first + 1, second))
  const signature = decodeBase64url(text.slice(second + 1))
  if (!header || !claims || !signature) return undefined
  return { header, claims, signed: utf8.encode(text.slice(0, second)), signature }
}

/** The algorithm that a header names, when it is one that this product knows and nothing in the header is critical. */
export function algorithmOf({ header }: UnverifiedJwt): SignatureAlgorithm | undefined {
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64') || Object.hasOwn(header, 'zip')) return undefined
  return isSignatureAlgorithm(header.alg) ? header.alg : undefined
}

/** Says whether a key of the right kind made the signature. RFC 7515 §5.2, RFC 8725 §3.1. */
export async function isSignedBy(
  jwt: UnverifiedJwt,
  key: PublicJwk,
  { verify }: Pick<Primitives, 'verify'>,
): Promise<boolean> {
  const algorithm = algorithmOf(jwt)
  if (!algorithm || !isKeyFor(algorithm, key)) return false
  return await verify(algorithm, key, jwt.signed, jwt.signature)
}

function parsePart(part: string): JsonObject | undefined {
  const bytes = decodeBase64url(part)
  if (!bytes) return undefined
  try {
    const members = parseJsonObject(strictUtf8.decode(bytes))
    return members && ownMembers(members)
  } catch {
    return undefined
  }
}
