import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createTestProofKey, signProof } from '@holdfast/pop/testing'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createLoad, type Load, type Outcome } from './load.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'
import { requirePrograms } from './requires.ts'
import { createIssuer, type Issuer, nodePorts, type Served, startServed } from './served.ts'

vi.setConfig({ testTimeout: 40_000, hookTimeout: 60_000 })

const form = { grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret', scope: 'api1' }
const reference = { ...form, client_id: 'reference' }
const key = createTestProofKey()
const program = fileURLToPath(new URL('./ahead-server.ts', import.meta.url))

requirePrograms('postgres')('[F16] two nodes, one of which is 20 s ahead', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-clock-'))
  let postgres: PostgresServer
  let issuer: Issuer
  let right: Served
  let ahead: Served
  let atRight: Load
  let atAhead: Load
  beforeAll(async () => {
    postgres = await startPostgres()
    const url = await postgres.createDatabase()
    const ports = [await nodePorts(), await nodePorts()] as const
    issuer = await createIssuer(directory, ports[0].public)
    const start = (name: string, each: (typeof ports)[number], seconds: number) => {
      const file = issuer.write(name, each, { store: { postgres: url } })
      return startServed(directory, [process.execPath, program, join(directory, file), String(seconds)])
    }
    right = await start('right.json', ports[0], 0)
    ahead = await start('ahead.json', ports[1], 20)
    atRight = createLoad(() => ports[0].public, issuer.ca)
    atAhead = createLoad(() => ports[1].public, issuer.ca)
  })
  afterAll(async () => {
    for (const load of [atRight, atAhead]) load?.close()
    await Promise.all([right, ahead].map((each) => each?.kill()))
    await postgres?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  const proof = () => {
    const now = Math.floor(Date.now() / 1000)
    return signProof(key, { method: 'POST', url: `${issuer.issuer}/token`, now })
  }
  const ask = (load: Load, dpop: string) => load.post(form, '/token', { dpop })
  const isActive = async (load: Load, token: string) => {
    const { text } = await load.post({ token, client_id: 'api1', client_secret: 'api1-secret' }, '/introspect')
    return JSON.parse(text).active
  }
  const tokenOf = ({ text }: Outcome): string => JSON.parse(text).access_token

  it('the one whose clock is off says so loudly, with the seconds', () => {
    const told = ahead.log
      .join('')
      .split('\n')
      .find((line) => line.includes('clock_differs'))
    expect(told && JSON.parse(told)).toMatchObject({
      level: 'error',
      seen: expect.stringMatching(/^(18|19|20)\.\d s ahead/),
    })
    expect(right.log.join('')).not.toContain('clock_differs')
  })

  it('take no proof twice, whichever sees it first, also when the clock leaps to the other side', async () => {
    const used: string[] = []
    for (let round = 0; round < 20; round++) {
      const once = proof()
      const [first, second] = round % 2 ? [atRight, atAhead] : [atAhead, atRight]
      expect((await ask(first, once)).status).toBe(200)
      expect((await ask(second, once)).status).toBe(400)
      expect((await ask(first, once)).status).toBe(400)
      used.push(once)
    }
    ahead.process.kill('SIGUSR2')
    await expect.poll(() => ahead.log.join('')).toContain('leapt')
    for (const once of used) expect((await ask(atAhead, once)).status).toBe(400)
    ahead.process.kill('SIGUSR2')
  })

  it('know of a token what the other did, and revive nothing', async () => {
    for (const [first, second] of [
      [atRight, atAhead],
      [atAhead, atRight],
    ] as const) {
      const token = tokenOf(await first.post(reference))
      expect(await isActive(second, token)).toBe(true)
      await second.post({ token, client_id: 'reference', client_secret: 'secret' }, '/revoke')
      expect([await isActive(first, token), await isActive(second, token)]).toEqual([false, false])
    }
  })
})
