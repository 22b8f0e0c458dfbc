import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from './browser.ts'
import { type Answer, encodeForm, type Form, freePort, type Sent } from './harness.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'
import { findProgram, requirePrograms } from './requires.ts'
import { authorizeFully, redirect, verifier } from './visit.ts'

/** The last commit whose schema was the one before. */
const before = '2e85801'
const root = new URL('../', import.meta.url).pathname
const hasBefore =
  spawnSync('git', ['cat-file', '-e', `${before}:packages/server/package.json`], { cwd: root }).status === 0

/** A node that runs as a process of its own. */
interface Node {
  readonly process: ChildProcess
  send(sent: Sent): Promise<Answer>
  post(path: string, form: Form): Promise<Answer>
}

if (!hasBefore && findProgram('postgres') !== undefined)
  describe.skip(`[F30] two versions side by side (needs the commit ${before})`, () => {
    it('is tried where the history is there', () => {})
  })
else
  requirePrograms('postgres', 'git')('[F30] two versions side by side', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-upgrade-'))
    const port = { before: 0, now: 0 }
    let postgres: PostgresServer
    let earlier: Node
    let later: Node

    beforeAll(async () => {
      postgres = await startPostgres()
      await writeSettings()
      unpack()
      earlier = await start('before', join(folder, 'before/packages/server/bin/holdfast.js'))
    }, 60_000)
    afterAll(async () => {
      for (const each of [earlier, later]) each?.process.kill('SIGKILL')
      await postgres?.stop()
      rmSync(folder, { recursive: true, force: true })
    })

    const form = { client_id: 'reference', client_secret: 'secret' } as const
    const asApi = { client_id: 'api1', client_secret: 'secret' } as const
    const tokenOf = async (node: Node): Promise<string> => {
      const { status, json } = await node.post('/token', { ...form, grant_type: 'client_credentials', scope: 'api1' })
      expect(status).toBe(200)
      return json.access_token
    }
    const isActive = async (node: Node, token: string): Promise<boolean> =>
      (await node.post('/introspect', { ...asApi, token })).json.active
    const familyOf = async (node: Node): Promise<string> => {
      const scope = 'openid offline_access api1'
      const page = await authorizeFully(openBrowser(node), { client_id: 'rotating', scope, nonce: undefined })
      const code = { grant_type: 'authorization_code', redirect_uri: redirect, code_verifier: verifier } as const
      const { json } = await node.post('/token', { ...code, client_id: 'rotating', code: page.answer.code ?? '' })
      return json.refresh_token
    }
    const refresh = (node: Node, refresh_token: string) =>
      node.post('/token', { grant_type: 'refresh_token', client_id: 'rotating', refresh_token })

    it('serve the same tokens: the earlier one goes on when the later one has migrated', {
      timeout: 60_000,
    }, async () => {
      const token = await tokenOf(earlier)
      const family = await familyOf(earlier)
      later = await start('now', join(root, 'packages/server/bin/holdfast.js'))

      expect(await isActive(later, token)).toBe(true)
      expect(await isActive(earlier, await tokenOf(later))).toBe(true)
      const second = (await refresh(later, family)).json.refresh_token
      const third = (await refresh(earlier, second)).json.refresh_token
      expect((await refresh(later, third)).status).toBe(200)
    })

    it('know at once what the other revokes', async () => {
      for (const [one, other] of [
        [earlier, later],
        [later, earlier],
      ] as const) {
        const token = await tokenOf(one)
        await one.post('/revoke', { ...form, token })
        expect(await isActive(other, token)).toBe(false)
      }
    })

    it('take a code and a refresh token once', async () => {
      const family = await familyOf(later)
      const answers = await Promise.all([earlier, later, earlier, later].map((node) => refresh(node, family)))
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    })

    it('sign with the same keys', async () => {
      const keys = await Promise.all(
        [earlier, later].map((node) => node.send({ on: 'public', method: 'GET', path: '/jwks', headers: {} })),
      )
      expect(keys[0]?.json.keys.length).toBeGreaterThan(0)
      expect(keys[0]?.json).toEqual(keys[1]?.json)
    })

    it('cannot be gone back from: the earlier one does not start again, and says why', async () => {
      earlier.process.kill('SIGTERM')
      await once(earlier.process, 'exit')
      await expect(start('before', join(folder, 'before/packages/server/bin/holdfast.js'))).rejects.toThrow(
        /exited 66: .*schema \d+, and this Holdfast knows schemas up to 3\. Run the newer Holdfast again/s,
      )
      expect(await isActive(later, await tokenOf(later))).toBe(true)
    })

    async function writeSettings(): Promise<void> {
      const authority = await createCertificateAuthority({ name: 'Upgrade', keyType: 'P-256' })
      const pair = await issueCertificate({
        ...{ subject: 'localhost', issuer: authority, keyType: 'P-256', dns: ['localhost'] },
      })
      writeFileSync(join(folder, 'ca.pem'), authority.certificate)
      writeFileSync(join(folder, 'as.pem'), pair.certificate)
      writeFileSync(join(folder, 'as.key'), pair.key)
      writeFileSync(join(folder, 'holdfast.key'), randomBytes(32).toString('base64url'), { mode: 0o600 })
      port.before = await freePort()
      port.now = await freePort()
      const issuer = `https://localhost:${port.before}`
      const url = await postgres.createDatabase()
      for (const [name, own] of Object.entries(port)) {
        const mutualTls = { port: await freePort(), origin: 'https://localhost:1' }
        const settings = {
          issuer,
          listen: {
            public: { port: own, host: '127.0.0.1', origin: issuer, certificate: 'as.pem', key: 'as.key' },
            mutualTls: { ...mutualTls, host: '127.0.0.1' },
          },
          store: { postgres: url },
          keys: { encryptionKey: 'holdfast.key' },
          apis: [{ identifier: 'https://api.test', scopes: ['api1'] }],
          people: { directory: [{ username: 'alice', password: 'alice', subject: 'user:alice' }] },
          clients: [
            { ...form, scope: 'api1', access_token_format: 'reference' },
            { ...asApi, grant_types: [], introspects: ['https://api.test'] },
            {
              client_id: 'rotating',
              token_endpoint_auth_method: 'none',
              grant_types: ['authorization_code', 'refresh_token'],
              redirect_uris: [redirect],
              scope: 'openid offline_access api1',
            },
          ],
        }
        writeFileSync(join(folder, `${name}.yaml`), JSON.stringify(settings))
      }
    }

    /** The packages as they were, with the dependencies that are installed. */
    function unpack(): void {
      const home = join(folder, 'before')
      mkdirSync(home)
      const archive = execFileSync('git', ['archive', before, 'packages/pop', 'packages/server'], {
        cwd: root,
        maxBuffer: 100_000_000,
      })
      execFileSync('tar', ['-x', '-C', home], { input: archive })
      mkdirSync(join(home, 'node_modules/@holdfast'), { recursive: true })
      for (const name of readdirSync(join(root, 'node_modules')))
        if (!['@holdfast', 'holdfast', '.bin'].includes(name))
          symlinkSync(join(root, 'node_modules', name), join(home, 'node_modules', name))
      symlinkSync(join(home, 'packages/pop'), join(home, 'node_modules/@holdfast/pop'))
      symlinkSync(join(home, 'packages/server'), join(home, 'node_modules/holdfast'))
    }

    async function start(name: 'before' | 'now', program: string): Promise<Node> {
      const { NODE_OPTIONS: _, ...env } = process.env
      const child = spawn(process.execPath, [program, 'serve', '--config', `${name}.yaml`], { cwd: folder, env })
      await new Promise<void>((resolve, reject) => {
        let said = ''
        const hear = (text: Buffer) => {
          said += text
          if (said.includes('"event":"listening"')) resolve()
        }
        child.stdout.on('data', hear)
        child.stderr.on('data', hear)
        child.once('close', (code) => reject(new Error(`exited ${code}: ${said}`)))
      })
      const send = (sent: Sent): Promise<Answer> => ask(port[name], sent)
      const type = { 'content-type': 'application/x-www-form-urlencoded' }
      return {
        process: child,
        send,
        post: (path, fields) => send({ on: 'public', method: 'POST', path, body: encodeForm(fields), headers: type }),
      }
    }

    function ask(to: number, { method, path, headers, body }: Sent): Promise<Answer> {
      return new Promise((resolve, reject) => {
        const ca = readFileSync(join(folder, 'ca.pem'))
        const place = { host: '127.0.0.1', servername: 'localhost', port: to, ca, agent: false as const }
        const host = `localhost:${port.before}`
        const outgoing = request({ ...place, method, path, headers: { ...headers, host } as never }, (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (more: string) => {
            text += more
          })
          response.on('end', () => {
            const isJson = response.headers['content-type']?.includes('json')
            const json = isJson && text !== '' ? JSON.parse(text) : {}
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json })
          })
        })
        outgoing.on('error', reject)
        outgoing.end(body)
      })
    }
  })
