import { once } from 'node:events'
import { chmod, realpath, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { dirname, join, relative } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { isJsonObject, parseJsonObject } from '@holdfast/pop'
import { type Administration, isCommandName } from '../administration/administration.ts'
import { AdministrationError } from '../administration/administration-error.ts'
import type { Report } from '../ports/report.ts'

/** The socket through which the operator's commands reach a running server. */
export interface Management {
  readonly socket: string
  /** Takes the place of a socket that was left over, not of one that another server in this folder listens on. */
  listen(): Promise<void>
  close(): Promise<void>
}

const bodyLimit = 65_536
/** `sun_path` has 108 bytes on Linux and 104 on macOS. */
const pathLimit = 103

/** Where the socket of a database lies. */
export function managementSocket(database: string): string {
  return join(dirname(database), 'holdfast.sock')
}

/**
 * The path of a socket in a spelling that systems take: relative to the working directory where it is too long.
 * @returns undefined when it is too long either way
 */
export function reachable(socket: string): string | undefined {
  return [socket, relative(process.cwd(), socket)].find((path) => Buffer.byteLength(path) <= pathLimit)
}

/**
 * Serves the operator's commands on a Unix socket that only the owner of the process can open: `POST /command` with
 * a JSON object, answered by JSON; `GET /` names the database. Nothing is ever served to a network.
 */
export function createManagement({
  database,
  administration,
  report,
}: {
  readonly database: string
  readonly administration: Administration
  readonly report: (report: Report) => void
}): Management {
  const socket = managementSocket(database)
  const server = createServer(
    { maxHeaderSize: 4096, requestTimeout: 10_000, headersTimeout: 5_000 },
    (request, response) => {
      answer(request, { administration, database }).then(
        (answered) => send(response, answered),
        (cause: unknown) => {
          report({ level: 'error', event: 'management_failed', cause })
          send(response, {
            status: 500,
            body: { problem: 'failed', message: 'The command failed. The log of the server says why.' },
          })
        },
      )
    },
  )
  return {
    socket,
    async listen() {
      const path = reachable(socket)
      if (path === undefined) return report({ level: 'warn', event: 'management_unavailable', seen: tooLong })
      if (await isAnswered(path)) return report({ level: 'warn', event: 'management_unavailable', seen: taken })
      await rm(socket, { force: true })
      await listenPrivately(server, path)
    },
    async close() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      await closed
    },
  }
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

async function answer(
  request: IncomingMessage,
  { administration, database }: { readonly administration: Administration; readonly database: string },
): Promise<Answer> {
  if (request.method === 'GET' && request.url === '/')
    return { status: 200, body: { database: await realpath(database) } }
  const command = request.url?.slice(1) ?? ''
  if (!isCommandName(command)) return refusal(404, 'unknown_command', 'This server does not know the command.')
  if (request.method !== 'POST' || request.headers['content-type'] !== 'application/json')
    return refusal(400, 'invalid', 'Commands are sent by POST as application/json.')
  const text = await readBody(request)
  const data = text === undefined ? undefined : parseJsonObject(text)
  if (!data) return refusal(400, 'invalid', `The command is no JSON object of at most ${bodyLimit} bytes.`)
  try {
    // as: administer parses what it is given.
    return { status: 200, body: await administration.administer(command, data as never) }
  } catch (error) {
    if (error instanceof AdministrationError) return refusal(409, error.problem, error.message)
    throw error
  }
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) return undefined
    length += chunk.length
    if (length > bodyLimit) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function refusal(status: number, problem: string, message: string): Answer {
  return { status, body: { problem, message } }
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify(isJsonObject(body) ? body : {}))
}

const tooLong = `the path of holdfast.sock has more than ${pathLimit} bytes: commands need the server to be stopped`

const taken = 'another server listens on holdfast.sock in this folder: commands need this one to be stopped'

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect({ path })
    connection.once('error', () => resolve(false))
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
  })
}

/**
 * The socket is made under a umask that shuts everybody else out: between `bind` and `chmod` it would stand open.
 * A worker thread has no umask of its own to set.
 */
async function listenPrivately(server: Server, path: string): Promise<void> {
  const listening = once(server, 'listening')
  const before = isMainThread ? process.umask(0o177) : undefined
  try {
    server.listen({ path })
  } finally {
    if (before !== undefined) process.umask(before)
  }
  await listening
  await chmod(path, 0o600)
}
