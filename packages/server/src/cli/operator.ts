import { once } from 'node:events'
import { realpath } from 'node:fs/promises'
import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import { userInfo } from 'node:os'
import { parseJsonObject } from '@holdfast/pop'
import type { Administration } from '../administration/administration.ts'
import { AdministrationError, type AdministrationProblem } from '../administration/administration-error.ts'
import { managementSocket, reachable } from '../http/management.ts'
import { createAuthorizationServer } from '../main.ts'
import { readFiles } from '../outbound/files.ts'
import { parseSettings, type SettingsInput } from '../settings.ts'
import { Failure } from './exit.ts'
import { readSettingsFile } from './settings-file.ts'

/**
 * Runs the operator's commands where they belong: in the server that has the store open, or, when none runs, on the
 * store itself, which this process then owns as long as it takes. A database that nodes share tells them of the change.
 */
export async function administering<T>(
  config: string | undefined,
  work: (administration: Administration) => Promise<T>,
): Promise<T> {
  const { directory, written } = await readSettingsFile(config)
  const { store } = readFiles(parseSettings(written), directory)
  const socket = store.postgres === undefined ? reachable(managementSocket(store.file)) : undefined
  if (store.postgres === undefined && socket !== undefined && (await isServed(socket, store.file)))
    return await work(remote(socket))
  // as: parsed just above.
  const server = await createAuthorizationServer(written as SettingsInput, { directory, operator: operatorName() })
  try {
    return await work(server.administration)
  } finally {
    await server.close()
  }
}

/** As the system names whoever has started this process: by its number where there is no name, as in many containers. */
export function operatorName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'unknown')
  }
}

/** The same commands, sent to a running server. */
function remote(socket: string): Administration {
  return {
    async administer(command, data) {
      const { status, body } = await post(socket, `/${command}`, JSON.stringify(data))
      // as: the server at the other end is of this package.
      if (status === 200) return body as never
      const { problem, message } = body ?? {}
      if (isProblem(problem) && typeof message === 'string') throw new AdministrationError(problem, message)
      throw new Failure(69, `The running server did not carry out the command: ${String(message ?? status)}`)
    },
  }
}

function post(socket: string, path: string, data: string) {
  return send(socket, { path, method: 'POST', headers: { 'content-type': 'application/json' } }, data)
}

async function send(socket: string, options: RequestOptions, data: string) {
  const sent = request({ socketPath: socket, ...options })
  sent.end(data)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { status: response.statusCode ?? 0, body: parseJsonObject(text) }
}

/** Says whether a server of this database listens: a socket that was left over refuses. */
async function isServed(socket: string, database: string): Promise<boolean> {
  try {
    const { body } = await send(socket, { path: '/', method: 'GET' }, '')
    return body?.database === (await realpath(database))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return false
    if (code === 'EACCES')
      throw new Failure(69, `A server runs here as another user, who alone may use ${socket}.`, error)
    throw error
  }
}

function isProblem(value: unknown): value is AdministrationProblem {
  return value === 'invalid' || value === 'unknown' || value === 'taken' || value === 'read_only'
}
