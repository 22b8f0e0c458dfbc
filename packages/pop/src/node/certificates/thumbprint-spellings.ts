import { hash } from 'node:crypto'
import { thumbprintOf } from './read.ts'

/** One way of writing a certificate's thumbprint. */
export interface ThumbprintSpelling {
  readonly name: string
  readonly value: string
  /** `x5t#S256`: the value of the claim. `same`: the same bytes, written in another way. `wrong`: a mistake that people make. */
  readonly use: 'x5t#S256' | 'same' | 'wrong'
}

/** Every spelling of a certificate's thumbprint that people meet, the right one first. RFC 8705 §3.1. */
export function thumbprintSpellings(der: Uint8Array): readonly ThumbprintSpelling[] {
  const hex = hash('sha256', der, 'hex')
  return [
    { name: 'base64url', value: thumbprintOf(der), use: 'x5t#S256' },
    { name: 'base64 with padding', value: hash('sha256', der, 'base64'), use: 'same' },
    { name: 'hex', value: hex, use: 'same' },
    { name: 'HEX', value: hex.toUpperCase(), use: 'same' },
    { name: 'openssl x509 -fingerprint -sha256', value: colons(hex), use: 'same' },
    { name: 'openssl x509 -fingerprint -sha1', value: colons(hash('sha1', der, 'hex')), use: 'wrong' },
    { name: 'base64url of the hex text', value: Buffer.from(hex).toString('base64url'), use: 'wrong' },
  ]
}

function colons(hex: string): string {
  return (hex.toUpperCase().match(/../g) ?? []).join(':')
}
