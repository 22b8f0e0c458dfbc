import { createHash } from 'node:crypto'
import type { Inbound } from '@holdfast/pop'
import { MutualTls } from '@holdfast/pop/client/node'
import { createGuard } from '@holdfast/pop/resource/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { api, type Harness, startServer } from './harness.ts'

/** An API: its guard, and how often it has asked for the keys of the issuer. */
interface Api {
  readonly judge: (token: string) => Promise<string>
  readonly asked: () => { readonly sets: number; readonly unchanged: number }
}

let server: Harness
let outgoing: MutualTls
let ahead = 0

/** Moves the clocks of the issuer and of all APIs. */
function advance(seconds: number): void {
  server.advance(seconds)
  ahead += seconds
}

beforeAll(async () => {
  server = await startServer()
  outgoing = new MutualTls({ certificate: undefined, ca: server.ca })
})
afterAll(async () => {
  await outgoing?.close()
  await server?.close()
})

function createApi(): Api {
  let sets = 0
  let unchanged = 0
  const guard = createGuard(
    { issuer: server.issuer, identifier: api, binding: 'when-bound' },
    {
      now: () => Math.floor(Date.now() / 1000) + ahead,
      report: () => {},
      async fetch(url, init) {
        const response = await outgoing.fetch(url, init)
        if (url.endsWith('/jwks')) response.status === 304 ? unchanged++ : sets++
        return response
      },
    },
  )
  return {
    asked: () => ({ sets, unchanged }),
    async judge(token) {
      const verdict = await guard.judge(inboundWith(token))
      return verdict.admitted ? 'admitted' : verdict.reason
    },
  }
}

function inboundWith(token: string): Inbound {
  return { method: 'GET', url: `${api}/`, headers: { authorization: [`Bearer ${token}`] } }
}

const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8')).kid

describe('[F17] signing keys that rotate under load', () => {
  it('fail no validation in 52 rotations, and cost each API one request for the keys at each of them', async () => {
    const rotations = 52
    const apis = [createApi(), createApi(), createApi()]
    const history: { readonly kid: string; readonly verdict: string }[] = []
    const kept: string[] = []
    let going = true
    const load = Array.from({ length: 3 }, async (_, index) => {
      while (going) {
        const token = (await server.token()).json.access_token
        if (index === 0) kept.push(token)
        for (const { judge } of apis) history.push({ kid: kidOf(token), verdict: await judge(token) })
        const old = kept.at((history.length * 7) % kept.length)
        if (old !== undefined) history.push({ kid: kidOf(old), verdict: (await apis[index % 3]?.judge(old)) ?? '' })
      }
    })
    for (let rotation = 0; rotation < rotations; rotation++) {
      const { keys } = await server.server.administration.administer('key-rotate', {})
      const active = keys.find(({ stage }) => stage === 'active')?.kid
      const before = history.length
      const judged = () => history.slice(before).filter(({ kid }) => kid === active).length
      while (judged() < 6) await new Promise((resolve) => setTimeout(resolve, 2))
      advance(31)
    }
    going = false
    await Promise.all(load)
    for (const token of kept)
      for (const { judge } of apis) history.push({ kid: kidOf(token), verdict: await judge(token) })

    expect(new Set(history.map(({ verdict }) => verdict))).toEqual(new Set(['admitted']))
    expect(new Set(history.map(({ kid }) => kid)).size).toBeGreaterThanOrEqual(rotations)
    expect(history.length).toBeGreaterThan(rotations * 6)
    for (const { asked } of apis) {
      const { sets, unchanged } = asked()
      expect(sets + unchanged).toBeLessThanOrEqual(rotations + 2)
    }
  }, 60_000)

  it('a key that is revoked in an emergency is worth nothing at an API after 30 seconds', async () => {
    const { judge, asked } = createApi()
    const token = (await server.token()).json.access_token
    expect(await judge(token)).toBe('admitted')
    await server.server.administration.administer('key-revoke', { kid: kidOf(token) })
    expect(await judge(token)).toBe('admitted')
    advance(31)
    expect(await judge(token)).toBe('token_key_unknown')
    expect(await judge((await server.token()).json.access_token)).toBe('admitted')
    expect(asked()).toEqual({ sets: 2, unchanged: 0 })
  })

  it('keys that stay the same do not travel again', async () => {
    const { judge, asked } = createApi()
    for (let minutes = 0; minutes < 5; minutes++) {
      expect(await judge((await server.token()).json.access_token)).toBe('admitted')
      advance(60)
    }
    expect(asked()).toEqual({ sets: 1, unchanged: 4 })
  })

  it('caches on the way keep keys for 15 seconds, and are asked whether they are still so', async () => {
    const { headers, text } = await server.send({ on: 'public', method: 'GET', path: '/jwks', headers: {} })
    expect(headers['cache-control']).toBe('public, max-age=15')
    expect(headers.etag).toBe(`"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`)
  })
})
