import { z } from 'zod'
import { auditEvents } from '../model/audit.ts'
import { SettingsError } from '../settings.ts'
import type { AdministrationContext } from './administration-context.ts'
import { AdministrationError } from './administration-error.ts'
import { exportAudit, listAudit, recordBackup, verifyAudit } from './audit/audit.ts'
import { addClient, editClient, listClients, removeClient, showClient } from './clients.ts'
import { listKeys, revokeKey, rotateKeys } from './keys/keys.ts'
import { resealKeys } from './keys/resealing.ts'

/** The operator's commands. Data in and data out are JSON, so that they can cross a socket. */
export interface Administration {
  /**
   * Runs one command.
   * @param data written by somebody else; parsed strictly
   * @throws {@link AdministrationError} whatever the operator did wrong
   */
  administer<Name extends CommandName>(command: Name, data: CommandInput<Name>): Promise<CommandOutput<Name>>
}

/** The name of a command. */
export type CommandName = keyof typeof commands

/** What a command takes. */
export type CommandInput<Name extends CommandName> = Parameters<(typeof commands)[Name]['run']>[0]

/** What a command gives. */
export type CommandOutput<Name extends CommandName> = Awaited<ReturnType<(typeof commands)[Name]['run']>>

/** Says whether there is a command of that name. */
export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(commands, name)
}

/** The administration of one server: the same commands for the socket of a running one and for a stopped one. */
export function createAdministration(context: AdministrationContext): Administration {
  // as: the table of commands ties each name to what it gives.
  return { administer: (command, data) => commands[command].perform(data, context) as Promise<never> }
}

const client = z.record(z.string(), z.unknown())
const clientId = z.string().min(1).max(256)
const secret = z.union([
  z.literal('generate'),
  z.literal('none'),
  z.strictObject({ chosen: z.string().min(1).max(1024) }),
])

const node = z.string().min(1).max(256)
const limit = z.int().min(1).max(10_000)
const number = z.int().min(0)
const anchor = z.strictObject({ node, number, mac: z.string().max(64) })

const commands = {
  'client-add': command(z.strictObject({ client, secret: secret.optional() }), addClient),
  'client-list': command(z.strictObject({}), listClients),
  'client-show': command(z.strictObject({ clientId }), showClient),
  'client-edit': command(z.strictObject({ clientId, change: client, secret: secret.optional() }), editClient),
  'client-remove': command(z.strictObject({ clientId }), removeClient),
  'key-list': command(z.strictObject({}), listKeys),
  'key-rotate': command(z.strictObject({ algorithm: z.string().optional() }), rotateKeys),
  'key-revoke': command(z.strictObject({ kid: z.string().min(1).max(256) }), revokeKey),
  'audit-list': command(
    z.strictObject({
      node: node.optional(),
      since: z.int().optional(),
      event: z.enum(auditEvents).optional(),
      client: clientId.optional(),
      limit,
    }),
    listAudit,
  ),
  'audit-export': command(z.strictObject({ node: node.optional(), after: number, limit }), exportAudit),
  'audit-verify': command(z.strictObject({ expected: z.array(anchor).max(100) }), verifyAudit),
  'backup-made': command(z.strictObject({ file: z.string().min(1).max(4096), bytes: z.int().min(0) }), recordBackup),
  'key-reseal': command(z.strictObject({}), resealKeys),
}

function command<Input, Output>(
  input: z.ZodType<Input>,
  run: (data: Input, context: AdministrationContext) => Promise<Output>,
) {
  const perform = async (data: unknown, context: AdministrationContext): Promise<Output> => {
    const parsed = input.safeParse(data)
    if (!parsed.success) throw new AdministrationError('invalid', z.prettifyError(parsed.error))
    try {
      return await run(parsed.data, context)
    } catch (error) {
      throw error instanceof SettingsError ? new AdministrationError('invalid', error.message) : error
    }
  }
  return { run, perform }
}
