import type { ActiveKey } from '../ports/signer.ts'

/**
 * Signs a JWT: one signature, and a header that is encoded once per key and `typ`. RFC 7515 §7.1.
 * @param typ what keeps it from being taken for another kind of JWT (RFC 8725 §3.11)
 */
export async function signJwt(typ: string, claims: object, key: ActiveKey): Promise<string> {
  const input = `${headerOf(typ, key)}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
  const signature = await key.sign(Buffer.from(input))
  return `${input}.${Buffer.from(signature.buffer, signature.byteOffset, signature.length).toString('base64url')}`
}

const headers = new WeakMap<ActiveKey, Map<string, string>>()

function headerOf(typ: string, key: ActiveKey): string {
  const ofKey = headers.get(key) ?? new Map<string, string>()
  headers.set(key, ofKey)
  const known = ofKey.get(typ)
  if (known) return known
  const header = Buffer.from(JSON.stringify({ alg: key.algorithm, typ, kid: key.kid })).toString('base64url')
  ofKey.set(typ, header)
  return header
}
