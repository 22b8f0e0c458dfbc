import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { type Credentials, keepCredentials } from './credentials.ts'

const at = 1_800_000_000
const day = 86_400

describe('the credentials of development', () => {
  const directories: string[] = []
  let directory: string
  let first: Credentials

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-credentials-'))
    directories.push(directory)
    first = await keepCredentials(directory, at)
  })
  afterAll(() => {
    for (const each of directories) rmSync(each, { recursive: true, force: true })
  })

  it('make a server certificate for localhost by name and by both addresses', () => {
    const server = new X509Certificate(first.server.certificate)
    expect(server.verify(new X509Certificate(first.ca.certificate).publicKey)).toBe(true)
    expect(server.checkHost('localhost')).toBe('localhost')
    expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(server.checkIP('::1')).toBe('::1')
  })

  it('have a CA for clients that is not the one for servers', () => {
    const mtls = new X509Certificate(first.mtls.certificate)
    expect(mtls.verify(new X509Certificate(first.clientCa.certificate).publicKey)).toBe(true)
    expect(mtls.verify(new X509Certificate(first.ca.certificate).publicKey)).toBe(false)
  })

  it('are kept from start to start', async () => {
    expect(await keepCredentials(directory, at + day)).toEqual(first)
  })

  it('are renewed below the same CA three days before they end, and not before', async () => {
    expect((await keepCredentials(directory, at + 362 * day - 1)).server).toEqual(first.server)
    const { server, mtls, pinned, web, ...kept } = await keepCredentials(directory, at + 362 * day)
    expect(kept).toEqual({ ca: first.ca, clientCa: first.clientCa, assertion: first.assertion })
    expect(server.certificate).not.toBe(first.server.certificate)
    expect(mtls.certificate).not.toBe(first.mtls.certificate)
    expect(pinned.certificate).not.toBe(first.pinned.certificate)
    expect(web.certificate).not.toBe(first.web.certificate)
  })

  it('follow a CA that was made anew', async () => {
    rmSync(join(directory, 'tls', 'ca.pem'))
    const { ca, server } = await keepCredentials(directory, at)
    expect(new X509Certificate(server.certificate).verify(new X509Certificate(ca.certificate).publicKey)).toBe(true)
  })

  it.each(['server.pem', 'server.key', 'pinned.key'])('are made anew when %s is damaged', async (name) => {
    writeFileSync(join(directory, 'tls', name), 'damaged')
    await keepCredentials(directory, at)
    expect(readFileSync(join(directory, 'tls', name), 'utf8')).toMatch(/^-----BEGIN /)
  })
})
