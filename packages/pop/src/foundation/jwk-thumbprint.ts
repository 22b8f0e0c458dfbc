import { encodeBase64url } from './base64url.ts'
import type { PublicJwk } from './jwk.ts'
import type { Primitives } from './primitives.ts'

/** The name of a key: what `cnf.jkt` says of it. RFC 7638 §3, RFC 9449 §6.1. */
export async function jwkThumbprint(key: PublicJwk, { sha256 }: Pick<Primitives, 'sha256'>): Promise<string> {
  return encodeBase64url(await sha256(new TextEncoder().encode(thumbprintInput(key))))
}

/** The text whose SHA-256 is a key's thumbprint: required members in order, no white space. RFC 7638 §3, RFC 9964. */
export function thumbprintInput(key: PublicJwk): string {
  switch (key.kty) {
    case 'EC':
      return `{"crv":"${key.crv}","kty":"EC","x":"${key.x}","y":"${key.y}"}`
    case 'OKP':
      return `{"crv":"${key.crv}","kty":"OKP","x":"${key.x}"}`
    case 'RSA':
      return `{"e":"${key.e}","kty":"RSA","n":"${key.n}"}`
    case 'AKP':
      return `{"alg":"${key.alg}","kty":"AKP","pub":"${key.pub}"}`
  }
}
