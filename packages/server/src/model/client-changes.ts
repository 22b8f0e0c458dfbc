import { hash } from 'node:crypto'
import type { Client } from './client.ts'

/** Whose values are secret, or make up one: of these the log tells that they were set or taken away. */
const secrets: ReadonlySet<string> = new Set<keyof Client>([
  'client_secret',
  'client_secret_hash',
  'registration_access_token_hash',
])

const longest = 200

/**
 * What members of a registration are from now on, where that differs from before: in JSON, or the SHA-256 of that where it
 * is long, `none` for what was taken away. What they were before, the entry before says.
 */
export function changesOf(before: Client | undefined, after: Client): Readonly<Record<string, string>> {
  const was = new Map<string, unknown>(Object.entries(before ?? {}))
  const is = new Map<string, unknown>(Object.entries(after))
  const members = [...new Set([...is.keys(), ...was.keys()])].filter((member) => member !== 'client_id')
  return Object.fromEntries(
    members
      .filter((member) => JSON.stringify(was.get(member)) !== JSON.stringify(is.get(member)))
      .map((member) => [member, told(member, is.get(member))]),
  )
}

function told(member: string, value: unknown): string {
  if (value === undefined) return 'none'
  if (secrets.has(member)) return 'set'
  const text = JSON.stringify(value)
  return text.length > longest ? `sha256:${hash('sha256', text, 'base64url')}` : text
}
