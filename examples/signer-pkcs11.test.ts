import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MutualTls } from '@holdfast/pop/client/node'
import { createGuard } from '@holdfast/pop/resource/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { api, type Harness, startServer } from '../conformance/harness.ts'
import { requirePrograms } from '../conformance/requires.ts'
import { createHsmSigner } from './signer-pkcs11.ts'

const places = ['/usr/lib/softhsm', '/usr/lib/x86_64-linux-gnu/softhsm', '/usr/lib/aarch64-linux-gnu/softhsm']

requirePrograms('softhsm2-util', 'pkcs11-tool')('a server whose keys stay in an HSM', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-hsm-'))
  const module = places.map((place) => join(place, 'libsofthsm2.so')).find(existsSync) ?? 'libsofthsm2.so'
  const before = process.env.SOFTHSM2_CONF
  let server: Harness

  beforeAll(async () => {
    mkdirSync(join(folder, 'tokens'))
    const config = join(folder, 'softhsm2.conf')
    writeFileSync(config, `directories.tokendir = ${join(folder, 'tokens')}\nobjectstore.backend = file\n`)
    process.env.SOFTHSM2_CONF = config
    const quietly = { stdio: 'ignore' } as const
    const token = ['--init-token', '--free', '--label', 'holdfast', '--so-pin', '5678', '--pin', '1234']
    execFileSync('softhsm2-util', token, quietly)
    const login = ['--module', module, '--token-label', 'holdfast', '--login', '--pin', '1234']
    for (const id of ['01', '02']) {
      const pair = ['--keypairgen', '--key-type', 'EC:prime256v1', '--id', id, '--label', `tokens ${id}`]
      execFileSync('pkcs11-tool', [...login, ...pair], quietly)
    }
    const signer = createHsmSigner({ module, token: 'holdfast', pin: '1234', ids: ['01', '02'] })
    server = await startServer(undefined, undefined, { signer })
  })
  afterAll(async () => {
    await server?.close()
    if (before === undefined) delete process.env.SOFTHSM2_CONF
    else process.env.SOFTHSM2_CONF = before
    rmSync(folder, { recursive: true, force: true })
  })

  it('issues tokens that an API accepts, several at once', async () => {
    const answers = await Promise.all(Array.from({ length: 3 }, () => server.token()))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    const outgoing = new MutualTls({ certificate: undefined, ca: server.ca })
    const guard = createGuard(
      { issuer: server.issuer, identifier: api, binding: 'when-bound' },
      { fetch: outgoing.fetch, report: () => {} },
    )
    for (const { json } of answers) {
      const headers = { authorization: [`Bearer ${json.access_token}`] }
      expect(await guard.judge({ method: 'GET', url: `${api}/`, headers })).toMatchObject({ admitted: true })
    }
    await outgoing.close()
  })

  it('publishes the key that is next', async () => {
    const { json } = await server.send({ on: 'public', method: 'GET', path: '/jwks', headers: {} })
    expect(json.keys).toHaveLength(2)
    expect(JSON.stringify(json)).not.toContain('"d"')
  })

  it('answers 503 with the wrong PIN', async () => {
    const signer = createHsmSigner({ module, token: 'holdfast', pin: '0000', ids: ['01'] })
    const other = await startServer(undefined, undefined, { signer })
    expect(await other.token()).toMatchObject({ status: 503, json: { error: 'temporarily_unavailable' } })
    await other.close()
  })
})
