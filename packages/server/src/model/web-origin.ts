/**
 * Says whether scripts of an origin may be let in: https, or http on the loopback interface, in the one spelling that
 * browsers send, so that it is compared as a text. A wildcard is none, nor is `null`, which every sandboxed frame and
 * every file sends. RFC 6454 §6.2, RFC 9700 §2.6.
 */
export function isWebOrigin(origin: string): boolean {
  return written.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin
}

const written = /^(https:\/\/([a-z0-9._-]+|\[[0-9a-f:]+\])|http:\/\/(127\.0\.0\.1|\[::1\]|localhost))(:\d+)?$/
