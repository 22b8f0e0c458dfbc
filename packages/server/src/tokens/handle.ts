import { hash } from 'node:crypto'

/**
 * Makes a handle of 256 random bits: what a holder shows, and only its hash is kept. One that begins with a hyphen is
 * drawn again, since a command line would take it for an option.
 */
export function createHandle(random: (length: number) => Uint8Array): string {
  const handle = Buffer.from(random(32)).toString('base64url')
  return handle.startsWith('-') ? createHandle(random) : handle
}

/** Under which a handle is stored: base64url of its SHA-256. */
export function handleHash(handle: string): string {
  return hash('sha256', handle, 'base64url')
}

/** Says whether a text could be a handle of ours: nothing else is looked up. */
export function isHandle(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text)
}
