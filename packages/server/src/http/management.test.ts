import { once } from 'node:events'
import { existsSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Administration } from '../administration/administration.ts'
import { AdministrationError } from '../administration/administration-error.ts'
import type { Report } from '../ports/report.ts'
import { createManagement, type Management } from './management.ts'

describe('the management socket', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-management-'))
  let management: Management
  let outcome: () => unknown
  let asked: unknown[]
  let reports: Report[]

  beforeAll(async () => {
    writeFileSync(join(directory, 'holdfast.sock'), 'left over')
    writeFileSync(join(directory, 'holdfast.db'), '')
    const administration: Administration = {
      async administer(command, data) {
        asked.push([command, data])
        return (await outcome()) as never
      },
    }
    management = createManagement({
      database: join(directory, 'holdfast.db'),
      administration,
      report: (report) => reports.push(report),
    })
    await management.listen()
  })
  beforeEach(() => {
    outcome = () => ({ done: true })
    asked = []
    reports = []
  })
  afterAll(async () => {
    await management.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const valid = { method: 'POST', path: '/client-show', type: 'application/json', body: '{"clientId":"shop"}' }

  async function send({ method, path, type, body }: typeof valid) {
    const sent = request({
      socketPath: management.socket,
      method,
      path,
      headers: { 'content-type': type, 'content-length': Buffer.byteLength(body) },
    })
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    return { status: response.statusCode, body: JSON.parse(text) }
  }

  it('lies beside the database, for its owner only, and takes the place of one that was left over', () => {
    expect(management.socket).toBe(join(directory, 'holdfast.sock'))
    expect(statSync(management.socket).mode & 0o777).toBe(0o600)
    expect(statSync(management.socket).isSocket()).toBe(true)
  })

  it('carries a command to the administration and its answer back', async () => {
    expect(await send(valid)).toEqual({ status: 200, body: { done: true } })
    expect(asked).toEqual([['client-show', { clientId: 'shop' }]])
  })

  it('carries what the operator did wrong', async () => {
    outcome = () => {
      throw new AdministrationError('unknown', 'There is no client.')
    }
    expect(await send(valid)).toEqual({ status: 409, body: { problem: 'unknown', message: 'There is no client.' } })
  })

  it('tells the log, not the caller, what broke', async () => {
    outcome = () => {
      throw new Error('disk on fire')
    }
    const { status, body } = await send(valid)
    expect(status).toBe(500)
    expect(JSON.stringify(body)).not.toContain('fire')
    expect(reports).toMatchObject([{ level: 'error', event: 'management_failed' }])
  })

  it.each([
    ['an unknown command', { ...valid, path: '/shell' }, 404],
    ['a member of every object', { ...valid, path: '/constructor' }, 404],
    ['no command', { ...valid, path: '/' }, 404],
    ['GET', { ...valid, method: 'GET' }, 400],
    ['a form', { ...valid, type: 'application/x-www-form-urlencoded' }, 400],
    ['what is not JSON', { ...valid, body: '{' }, 400],
    ['an array', { ...valid, body: '[]' }, 400],
    ['one byte too many', { ...valid, body: `{"clientId":"${'x'.repeat(65_536 - 14)}"}` }, 400],
  ])('refuses %s', async (_, given, status) => {
    expect((await send(given)).status).toBe(status)
    expect(asked).toEqual([])
  })

  it('takes the longest command', async () => {
    expect((await send({ ...valid, body: `{"clientId":"${'x'.repeat(65_536 - 15)}"}` })).status).toBe(200)
  })

  it('is gone when the server is', async () => {
    await management.close()
    expect(existsSync(management.socket)).toBe(false)
    await management.listen()
  })

  it('names the database that it administers', async () => {
    const { status, body } = await send({ ...valid, method: 'GET', path: '/', body: '' })
    expect({ status, body }).toEqual({ status: 200, body: { database: realpathSync(join(directory, 'holdfast.db')) } })
  })

  it('leaves the socket of another server in the folder alone, and says so', async () => {
    const database = join(directory, 'other.db')
    const administration: Administration = { administer: () => Promise.reject(new Error('not called')) }
    const second = createManagement({ database, administration, report: (report) => reports.push(report) })
    await second.listen()
    expect(reports).toMatchObject([{ level: 'warn', event: 'management_unavailable' }])
    await second.close()
    expect((await send(valid)).status).toBe(200)
  })

  it('does without, and says so, where its path is longer than the system takes', async () => {
    const database = join(directory, 'x'.repeat(200), 'holdfast.db')
    const administration: Administration = { administer: () => Promise.reject(new Error('not called')) }
    const unreachable = createManagement({ database, administration, report: (report) => reports.push(report) })
    await unreachable.listen()
    expect(reports).toMatchObject([{ level: 'warn', event: 'management_unavailable' }])
    await unreachable.close()
  })
})
