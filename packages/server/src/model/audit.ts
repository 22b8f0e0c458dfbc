import { createHmac } from 'node:crypto'
import type { Reason, Seconds } from '@holdfast/pop'

/** What the audit log keeps: changes of administration and what security depends on, never the issue of a token. */
export const auditEvents = [
  'client_added',
  'client_changed',
  'client_removed',
  'key_rotated',
  'key_revoked',
  'keys_resealed',
  'token_revoked',
  'authorization_revoked',
  'consent_given',
  'device_approved',
  'signed_in',
  'sign_in_failed',
  'signed_out',
  'attack_suspected',
  'backup_made',
  'backup_restored',
  'server_started',
  'server_stopped',
] as const

/** A stable word for what happened. */
export type AuditEvent = (typeof auditEvents)[number]

/** Something that happened: plain data, never a token, secret, key or proof. */
export interface AuditEntry {
  readonly event: AuditEvent
  /** Who did it: `operator` (in a process of its own `operator:<user>`), `server`, `client:<client_id>`, `person:<subject>`, or nobody known. */
  readonly actor?: string
  /** The client that it is about. */
  readonly client?: string
  /** The person that it is about. */
  readonly subject?: string
  /** The address that it came from. */
  readonly address?: string
  /** Why, where something was refused. */
  readonly reason?: Reason
  /** What else there is to say: names of what changed, a key id, a count. */
  readonly details?: Readonly<Record<string, string | number>>
}

/** An entry on its way into the log: when, on which node, and the key under which its chain is sealed. */
export interface AuditStamp extends AuditEntry {
  readonly time: Seconds
  readonly node: string
  /** 32 bytes. Not kept in the database in clear: who can write there cannot make a chain that verifies. */
  readonly key: Uint8Array
}

/** An entry as it stands in the log: link `number` of the chain of its node, counting from 1. */
export interface AuditRecord {
  readonly node: string
  readonly number: number
  readonly time: Seconds
  readonly event: string
  /** An {@link AuditEntry} without its event, in JSON, to the letter as it was sealed. */
  readonly entry: string
  readonly mac: string
}

/** Where a chain ends: its last link, and a seal over it that only the server can make. */
export interface AuditHead extends Pick<AuditRecord, 'node' | 'number' | 'mac'> {
  readonly seal: string
}

/** Seals a link of a chain, the first one after `''`. @returns base64url of HMAC-SHA-256 over the link before and this one */
export function auditMac(
  { node, number, time, event, entry }: Omit<AuditRecord, 'mac'>,
  previous: string,
  key: Uint8Array,
): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([previous, node, number, time, event, entry]))
    .digest('base64url')
}

/**
 * Seals the end of a chain. No link holds it: who takes the last links away can say where the chain ends now, and not
 * that it is the end. @returns base64url of HMAC-SHA-256 over the last link
 */
export function auditSeal(last: Pick<AuditRecord, 'node' | 'number' | 'mac'>, key: Uint8Array): string {
  return createHmac('sha256', key)
    .update(JSON.stringify(['head', last.node, last.number, last.mac]))
    .digest('base64url')
}
