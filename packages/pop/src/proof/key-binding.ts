import { equalInConstantTime } from '../foundation/constant-time.ts'
import type { Possession } from './possession.ts'

/**
 * What a code or a public client's refresh token is bound to: the DPoP key, or the public key of a certificate, so
 * that a certificate renewed with its key goes on. RFC 9449 §5, §10; RFC 8705 §4.
 */
export type KeyBinding = { readonly jkt: string } | { readonly publicKey: string }

/** Binds to the key that a request has shown. */
export function keyBindingOf(possession: Possession): KeyBinding {
  return possession.member === 'jkt' ? { jkt: possession.thumbprint } : { publicKey: possession.publicKeyThumbprint }
}

/** Says whether a request has shown the key of a binding. */
export function isKeyBindingShown(binding: KeyBinding, possession: Possession | undefined): boolean {
  if (!possession) return false
  const shown = keyBindingOf(possession)
  if ('jkt' in binding) return 'jkt' in shown && equalInConstantTime(binding.jkt, shown.jkt)
  return 'publicKey' in shown && equalInConstantTime(binding.publicKey, shown.publicKey)
}
