import { hash } from 'node:crypto'
import { equalInConstantTime } from '@holdfast/pop'

/** Says whether a verifier is the one whose SHA-256 the authorization request showed. RFC 7636 §4.1, §4.6. */
export function isVerifierOf(codeChallenge: string, verifier: string): boolean {
  return (
    /^[A-Za-z0-9._~-]{43,128}$/.test(verifier) &&
    equalInConstantTime(hash('sha256', verifier, 'base64url'), codeChallenge)
  )
}
