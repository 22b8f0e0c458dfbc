import { hash } from 'node:crypto'

/** Makes a handle of 256 random bits: what a holder shows, and only its hash is kept. */
export function createHandle(random: (length: number) => Uint8Array): string {
  return Buffer.from(random(32)).toString('base64url')
}

/** Under which a handle is stored: base64url of its SHA-256. */
export function handleHash(handle: string): string {
  return hash('sha256', handle, 'base64url')
}
