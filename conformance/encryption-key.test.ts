import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createTestProofKey, signProof } from '@holdfast/pop/testing'
import { createAuthorizationServer } from 'holdfast'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBrowser } from './browser.ts'
import { claimsOf, type Harness } from './harness.ts'
import { type Nodes, startNodes } from './nodes.ts'
import { requirePrograms } from './requires.ts'
import { authorizeFully, redirect, verifier, visitClients } from './visit.ts'

requirePrograms('postgres')('the encryption key of two nodes is replaced while they run', () => {
  let nodes: Nodes
  let files: { readonly old: string; readonly fresh: string }

  beforeAll(async () => {
    nodes = await startNodes((settings) => ({
      ...settings,
      people: { directory: [{ username: 'alice', password: 'alice', subject: 'user:alice' }] },
      clients: [
        ...(settings.clients ?? []),
        ...visitClients
          .filter(({ client_id }) => client_id === 'web')
          .map((client) => ({ ...client, scope: 'openid api1', subject_type: 'pairwise' as const })),
        { client_id: 'proving', client_secret: 'secret', scope: 'api1', dpop_nonces: 'required' },
      ],
    }))
    const old = nodes.one.settings.keys?.encryptionKey ?? ''
    files = { old, fresh: `${old}.fresh` }
  })
  afterAll(() => nodes?.close())

  /** What Alice is called at a client that must not recognise her elsewhere. */
  async function pairwiseSubject(node: Harness): Promise<string> {
    const page = await authorizeFully(openBrowser(node), { client_id: 'web', scope: 'openid', nonce: undefined })
    const form = { grant_type: 'authorization_code', redirect_uri: redirect, code_verifier: verifier }
    const sent = { ...form, client_id: 'web', client_secret: 'secret', code: page.answer.code }
    return claimsOf((await node.post('/token', sent)).json.id_token).sub
  }

  const key = createTestProofKey()
  const prove = (node: Harness, nonce?: string) => {
    const now = Math.floor(Date.now() / 1000)
    const url = `${nodes.one.issuer}/token`
    const dpop = signProof(key, { method: 'POST', url, now, ...(nonce !== undefined && { nonce }) })
    return node.token({ client_id: 'proving' }, { headers: { dpop } })
  }

  /** Issues at one node and asks the other about it, as clients behind a balancer would, until it is told to stop. */
  function startLoad() {
    const failures: unknown[] = []
    let issued = 0
    let going = true
    const reach = async <T>(first: Harness, second: Harness, ask: (node: Harness) => Promise<T>): Promise<T> =>
      await ask(first).catch(() => ask(second))
    const done = (async () => {
      for (let turn = 0; going; turn++) {
        const [first, second] = turn % 2 ? [nodes.one, nodes.other] : [nodes.other, nodes.one]
        const { status, json } = await reach(first, second, (node) => node.token())
        const about = { token: json.access_token, client_id: 'api1', client_secret: 'api1-secret' }
        const asked = await reach(second, first, (node) => node.post('/introspect', about))
        if (status === 200 && asked.json.active === true) issued++
        else failures.push([status, json, asked.status, asked.json])
      }
    })()
    return {
      failures,
      async stop() {
        going = false
        await done
        return issued
      },
    }
  }

  const restartBoth = async (keys: { encryptionKey: string; otherEncryptionKeys?: string[] }) => {
    await nodes.one.restart({ keys })
    await nodes.other.restart({ keys })
  }
  const warnings = () =>
    [...nodes.one.reports, ...nodes.other.reports].filter(({ event }) => event === 'keys_not_resealed').length

  it('and all goes on; in the end nothing opens under the old one', async () => {
    const { one, other } = nodes
    const load = startLoad()
    const subject = await pairwiseSubject(one)
    const nonce = (await prove(one)).headers['dpop-nonce']
    if (typeof nonce !== 'string') throw new Error('no nonce')

    writeFileSync(files.fresh, randomBytes(32).toString('base64url'), { mode: 0o600 })
    await restartBoth({ encryptionKey: files.old, otherEncryptionKeys: [files.fresh] })
    expect(warnings()).toBe(0)

    const swapped = { encryptionKey: files.fresh, otherEncryptionKeys: [files.old] }
    await one.restart({ keys: swapped })
    expect(warnings()).toBe(1)
    // Sealed under the new key, by the one node that seals under it: the other must open it, now and when it signs.
    await one.server.administration.administer('key-rotate', {})
    await other.server.administration.administer('key-rotate', {})
    expect((await other.token()).status).toBe(200)
    await other.restart({ keys: swapped })

    const config = join(one.directory, 'holdfast.json')
    writeFileSync(config, JSON.stringify({ ...one.settings, keys: swapped }))
    const program = resolve('packages/server/bin/holdfast.js')
    const { stdout } = await promisify(execFile)(process.execPath, [program, 'key', 'reseal', '-c', config, '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ left: [], encryptionKey: files.fresh })
    expect(JSON.parse(stdout).resealed).toBeGreaterThan(2)
    expect(await other.server.administration.administer('key-reseal', {})).toMatchObject({ resealed: 0, left: [] })

    const before = warnings()
    await restartBoth({ encryptionKey: files.fresh })
    expect(warnings()).toBe(before)
    const former = readFileSync(files.old)
    rmSync(files.old)

    expect(await pairwiseSubject(other)).toBe(subject)
    expect((await prove(other, nonce)).status).toBe(200)
    await one.server.administration.administer('key-rotate', {})
    expect((await other.token()).status).toBe(200)
    expect(await load.stop()).toBeGreaterThan(20)
    expect(load.failures).toEqual([])

    writeFileSync(files.old, former)
    const opened = createAuthorizationServer({ ...one.settings, keys: { encryptionKey: files.old } })
    await expect(opened).rejects.toMatchObject({ name: 'SettingsError' })
  }, 60_000)

  it('a key that is named and not there stops the start, and is not made', async () => {
    const missing = `${files.fresh}.missing`
    const keys = { encryptionKey: files.fresh, otherEncryptionKeys: [missing] }
    const opened = createAuthorizationServer({ ...nodes.one.settings, keys })
    await expect(opened).rejects.toMatchObject({ name: 'SettingsError', message: expect.stringContaining(missing) })
    expect(() => readFileSync(missing)).toThrow()
  })
})
