import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Answer, basic, declined, type Form, type Harness, rowsOf, type Sent, startServer } from './harness.ts'

let server: Harness
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.close())

const tokenOf = async (client = 'client', sent?: Partial<Sent>, on = server): Promise<string> =>
  (await on.token({ client_id: client }, sent)).json.access_token
const revoke = (form: Form, sent?: Partial<Sent>, on = server): Promise<Answer> =>
  on.post('/revoke', { client_id: 'client', client_secret: 'secret', ...form }, sent)
const isActive = async (token: string, on = server): Promise<boolean> =>
  (await on.post('/introspect', { client_id: 'api1', client_secret: 'api1-secret', token })).json.active
const forms = [
  ['a JWT', 'client'],
  ['a reference token', 'reference'],
] as const

describe('RFC 7009 §2 revoking a token', () => {
  it.each(forms)('ends %s at once', async (_, client_id) => {
    const token = await tokenOf(client_id)
    expect(await isActive(token)).toBe(true)
    const answer = await revoke({ client_id, token })
    expect([answer.status, answer.text]).toEqual([200, ''])
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(await isActive(token)).toBe(false)
  })

  it.each(forms)('answers 200 again when %s is revoked twice', async (_, client_id) => {
    const token = await tokenOf(client_id)
    for (let time = 0; time < 2; time++) expect((await revoke({ client_id, token })).status).toBe(200)
  })

  it('leaves other tokens of the client alone', async () => {
    const [one, other] = [await tokenOf('reference'), await tokenOf('reference')]
    await revoke({ client_id: 'reference', token: one })
    expect(await isActive(other)).toBe(true)
  })

  it('is there on the mTLS listener', async () => {
    const token = await tokenOf()
    expect((await revoke({ token }, { on: 'mutualTls' })).status).toBe(200)
    expect(await isActive(token)).toBe(false)
  })

  it('asks for no certificate, neither of a client registered as bound nor for a bound token', async () => {
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const token = await tokenOf('bound', { certificate })
    expect((await revoke({ client_id: 'bound', token })).status).toBe(200)
    expect(await isActive(token)).toBe(false)
  })

  it.each(forms)('[R09] finds %s whatever the hint says', async (_, client_id) => {
    for (const token_type_hint of ['refresh_token', 'access_token', 'nonsense']) {
      const token = await tokenOf(client_id)
      expect((await revoke({ client_id, token, token_type_hint })).status).toBe(200)
      expect(await isActive(token)).toBe(false)
    }
  })

  it.each(['unknown', 'A'.repeat(43), 'a.b.c', 'a'.repeat(60_000)])(
    '[R11] answers 200 for what is no token',
    async (token) => {
      const stored = rowsOf(server)
      expect((await revoke({ token })).status).toBe(200)
      expect(rowsOf(server)).toBe(stored)
    },
  )

  it.each(forms)('[R11] does not find %s when it is spelled another way', async (_, client_id) => {
    const token = await tokenOf(client_id)
    const spellings = [`${token}=`, `${token}==`, ` ${token}`, token.toLowerCase(), sameBytes(token)]
    expect(spellings).not.toContain(token)
    for (const spelling of spellings) expect((await revoke({ client_id, token: spelling })).status).toBe(200)
    expect(await isActive(token)).toBe(true)
  })

  it('[R10] takes no notice of callback', async () => {
    const answer = await revoke({ token: await tokenOf(), callback: 'package.revoked' })
    expect([answer.status, answer.text]).toEqual([200, ''])
  })
})

describe('RFC 7009 §2.1 who may revoke', () => {
  it.each([
    ['a wrong secret', { client_secret: 'wrong' }, 401, 'invalid_client', 'client_secret_wrong'],
    ['no secret', { client_secret: undefined }, 401, 'invalid_client', 'client_credentials_missing'],
    ['an unknown client', { client_id: 'nobody' }, 401, 'invalid_client', 'client_unknown'],
    ['no client', { client_id: undefined, client_secret: undefined }, 400, 'invalid_request', 'client_id_missing'],
  ])('[R01] refuses %s', async (_, form, status, error, reason) => {
    const token = await tokenOf()
    expect(await declined(server, revoke({ token, ...form }))).toMatchObject({ status, error, reason })
    expect(await isActive(token)).toBe(true)
  })

  it('[R01] challenges who used Basic', async () => {
    const refused = await declined(
      server,
      server.post('/revoke', { token: 'x' }, { headers: basic('client', 'wrong') }),
    )
    expect(refused.answer.headers['www-authenticate']).toMatch(/^Basic realm="[^"]+"/)
  })

  it.each([{}, { token: '' }])('[R02] refuses a request without a token: %j', async (form) => {
    const refused = await declined(server, revoke(form))
    expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'token_parameter_missing' })
  })

  it.each(forms)('[R04] refuses %s of another client, which stays active', async (_, client_id) => {
    const token = await tokenOf(client_id)
    for (const other of [
      { client_id: 'other', client_secret: 'other-secret' },
      { client_id: 'public', client_secret: undefined },
    ]) {
      const refused = await declined(server, revoke({ ...other, token }))
      expect(refused).toMatchObject({ status: 400, error: 'invalid_request', reason: 'token_of_another_client' })
    }
    expect(await isActive(token)).toBe(true)
  })

  it('[R04] an API may ask about a token, and not end it', async () => {
    const token = await tokenOf()
    const refused = await declined(server, revoke({ client_id: 'api1', client_secret: 'api1-secret', token }))
    expect(refused).toMatchObject({ status: 400, reason: 'token_of_another_client' })
    expect(await isActive(token)).toBe(true)
  })
})

describe('RFC 7009 §2.2.1 what cannot be revoked', () => {
  it('[R05] a JWT where the settings say so; a reference token can be all the same', async () => {
    const own = await startServer((settings) => ({ ...settings, revocation: { jwt: false } }))
    onTestFinished(() => own.close())
    const [jwt, handle] = [await tokenOf('client', {}, own), await tokenOf('reference', {}, own)]
    expect(await declined(own, revoke({ token: jwt }, {}, own))).toMatchObject({
      status: 400,
      error: 'unsupported_token_type',
      reason: 'revocation_unsupported',
    })
    expect(await isActive(jwt, own)).toBe(true)
    expect((await revoke({ client_id: 'reference', token: handle }, {}, own)).status).toBe(200)
    expect(await isActive(handle, own)).toBe(false)
  })
})

describe('RFC 7009 §2.2 what 200 promises', () => {
  it.each(forms)('[R07] 503 with Retry-After while the store cannot commit %s', async (_, client_id) => {
    const token = await tokenOf(client_id)
    const holder = new DatabaseSync(join(server.directory, 'holdfast.db'))
    try {
      holder.exec('begin immediate')
      const refused = await declined(server, revoke({ client_id, token }))
      expect(refused).toMatchObject({ status: 503, error: 'temporarily_unavailable', reason: 'store_unavailable' })
      expect(refused.answer.headers['retry-after']).toBe('1')
      expect(await isActive(token)).toBe(true)
    } finally {
      holder.close()
    }
    expect((await revoke({ client_id, token })).status).toBe(200)
    expect(await isActive(token)).toBe(false)
  })

  it('[R08] what was revoked stays so when the process is killed at the 200', async () => {
    const module = JSON.stringify(import.meta.resolve('./harness.ts'))
    const script = `
      import { writeSync } from 'node:fs'
      const { startServer } = await import(${module})
      const server = await startServer()
      const tokenOf = async (client_id) => (await server.token({ client_id })).json.access_token
      const kept = await Promise.all(['client', 'reference'].map(tokenOf))
      const tokens = await Promise.all(['client', 'reference'].map(tokenOf))
      const answers = await Promise.all(['client', 'reference'].map((client_id, index) =>
        server.post('/revoke', { client_id, client_secret: 'secret', token: tokens[index] })))
      const { issuer, directory } = server
      writeSync(1, JSON.stringify({ issuer, directory, kept, tokens, statuses: answers.map(({ status }) => status) }))
      process.kill(process.pid, 'SIGKILL')`
    const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 15_000,
    })
    const { issuer, directory, kept, tokens, statuses } = JSON.parse(stdout)
    expect([signal, statuses]).toEqual(['SIGKILL', [200, 200]])

    const again = await startServer((settings) => ({ ...settings, issuer }), directory)
    onTestFinished(() => again.close())
    for (const token of kept) expect(await isActive(token, again)).toBe(true)
    for (const token of tokens) expect(await isActive(token, again)).toBe(false)
  })

  it('[R12] stays so over a restart until the token has expired', async () => {
    const own = await startServer()
    onTestFinished(() => own.close())
    own.freeze()
    const token = await tokenOf('client', {}, own)
    await revoke({ token }, {}, own)
    own.advance(3599)
    await own.restart()
    expect(await isActive(token, own)).toBe(false)
  })
})

/** The same bytes with other unused bits in the last character of the base64url. RFC 4648 §3.5. */
function sameBytes(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return `${token.slice(0, -1)}${alphabet[alphabet.indexOf(token.at(-1) ?? '') ^ 1]}`
}
