import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import type { SettingsInput } from 'holdfast'
import { api, baseClients } from './harness.ts'
import { lastingPort } from './lasting-port.ts'

/** For tests: a server as a process of its own. */
export interface Served {
  readonly process: ChildProcess
  /** What it has logged so far. */
  readonly log: string[]
  /** Ends it as an operator does. @returns its exit code, and after how many milliseconds */
  stop(): Promise<{ readonly code: number | null; readonly took: number }>
  kill(): Promise<void>
}

/** For tests: ports of one node. */
export interface NodePorts {
  readonly public: number
  readonly mutualTls: number
  readonly operations: number
}

/** For tests: an issuer in a folder, whose nodes are processes. */
export interface Issuer {
  readonly ca: string
  readonly issuer: string
  /** Writes the settings of a node into the folder. @returns the name of the file */
  write(name: string, ports: NodePorts, change?: Partial<SettingsInput>): string
}

/** For tests: ports for one node that is stopped and started again. */
export async function nodePorts(): Promise<NodePorts> {
  return { public: await lastingPort(), mutualTls: await lastingPort(), operations: await lastingPort() }
}

/** For tests: makes the files of an issuer that is reached at a port, of a balancer or of its only node. */
export async function createIssuer(directory: string, port: number): Promise<Issuer> {
  const authority = await createCertificateAuthority({ name: 'Test', keyType: 'P-256' })
  const pair = await issueCertificate({ subject: 'as', issuer: authority, keyType: 'P-256', dns: ['localhost'] })
  writeFileSync(join(directory, 'as.pem'), pair.certificate)
  writeFileSync(join(directory, 'as.key'), pair.key)
  writeFileSync(join(directory, 'holdfast.key'), randomBytes(32).toString('base64url'))
  const issuer = `https://localhost:${port}`
  return {
    ca: authority.certificate,
    issuer,
    write(name, ports, change = {}) {
      const files = { host: '127.0.0.1', certificate: 'as.pem', key: 'as.key' }
      const settings = {
        issuer,
        listen: {
          public: { ...files, port: ports.public, origin: issuer },
          mutualTls: { ...files, port: ports.mutualTls, origin: `https://localhost:${ports.mutualTls}` },
        },
        operations: { port: ports.operations },
        keys: { encryptionKey: 'holdfast.key' },
        apis: [{ identifier: api, scopes: ['api1'] }],
        clients: [...baseClients],
        ...change,
      }
      writeFileSync(join(directory, name), JSON.stringify(settings))
      return name
    },
  }
}

const program = fileURLToPath(new URL('../packages/server/bin/holdfast.js', import.meta.url))

/**
 * For tests: runs `holdfast serve` with a file of settings until it listens.
 * @param wrapper runs it, such as a shell that limits it
 */
export async function serve(directory: string, file: string, wrapper: readonly string[] = []): Promise<Served> {
  return await startServed(directory, [...wrapper, process.execPath, program, 'serve', '--config', file])
}

/** For tests: runs a command that serves, until it says that it listens. */
export async function startServed(directory: string, command: readonly string[]): Promise<Served> {
  const { NODE_OPTIONS, ...env } = process.env
  const [first = '', ...rest] = command
  const child = spawn(first, rest, { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const log: string[] = []
  const listening = Promise.withResolvers<void>()
  const hear = (text: string) => {
    log.push(text)
    if (text.includes('"event":"listening"')) listening.resolve()
  }
  child.stdout.setEncoding('utf8').on('data', hear)
  child.stderr.setEncoding('utf8').on('data', hear)
  const gone = once(child, 'exit')
  gone.then(([code]) => listening.reject(new Error(`exited ${code}: ${log.join('')}`)))
  await listening.promise
  return {
    process: child,
    log,
    async stop() {
      const began = performance.now()
      child.kill('SIGTERM')
      const [code] = await gone
      return { code, took: performance.now() - began }
    },
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
  }
}
