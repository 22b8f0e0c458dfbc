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
 * What members of a registration are from now on, where that differs from before: a long one as the SHA-256 of its JSON,
 * one that was taken away empty. What they were before, the entry before says. Of a new client what is off or empty is left out.
 */
export function changesOf(before: Client | undefined, after: Client): Readonly<Record<string, string>> {
  const was = new Map<string, unknown>(Object.entries(before ?? {}))
  const is = new Map<string, unknown>(Object.entries(after))
  const changed = [...new Set([...is.keys(), ...was.keys()])]
    .filter((member) => member !== 'client_id')
    .filter((member) => (before ? !isSame(was.get(member), is.get(member)) : !isNothing(is.get(member))))
  return Object.fromEntries(changed.toSorted().map((member) => [member, told(member, is.get(member))]))
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === false || value === '' || (Array.isArray(value) && value.length === 0)
}

function told(member: string, value: unknown): string {
  if (value === undefined) return ''
  if (secrets.has(member)) return 'set'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > longest ? `sha256:${hash('sha256', JSON.stringify(value), 'base64url')}` : text
}
