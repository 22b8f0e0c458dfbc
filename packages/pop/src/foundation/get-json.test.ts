import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { getJson, postForm } from './get-json.ts'

let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

describe('one bounded request', () => {
  it('gives the JSON object', async () => {
    const url = await serve((_, response) => response.end('{"a":1}'))
    await expect(getJson(url, { fetch })).resolves.toEqual({ a: 1 })
  })

  it('posts a form', async () => {
    let seen = ''
    const url = await serve(async (request, response) => {
      for await (const part of request) seen += String(part)
      response.end(JSON.stringify({ type: request.headers['content-type'], also: request.headers['x-also'] }))
    })
    await expect(postForm(url, { token: 'a&b=c' }, { 'x-also': 'this' }, { fetch })).resolves.toEqual({
      type: 'application/x-www-form-urlencoded',
      also: 'this',
    })
    expect(seen).toBe('token=a%26b%3Dc')
  })

  it('does not follow a redirect', async () => {
    let asked = 0
    const url = await serve((_, response) => {
      asked++
      response.writeHead(302, { location: '/other' }).end('{}')
    })
    await expect(getJson(url, { fetch })).rejects.toThrow('answered 302')
    expect(asked).toBe(1)
  })

  it.each([201, 204, 400, 500])('refuses the status %s', async (status) => {
    const url = await serve((_, response) => response.writeHead(status).end())
    await expect(getJson(url, { fetch })).rejects.toThrow(`answered ${status}`)
  })

  it.each(['', 'null', '[]', '"a"', '<html>', '{"a":', `${'{"a":'.repeat(17)}1${'}'.repeat(17)}`])(
    'refuses what is no JSON object: %.20s',
    async (body) => {
      const url = await serve((_, response) => response.end(body))
      await expect(getJson(url, { fetch })).rejects.toThrow('not a JSON object')
    },
  )

  it('reads to the limit, and not a byte further', async () => {
    const url = await serve((_, response) => response.end(`{"a":"${'x'.repeat(92)}"}`))
    await expect(getJson(url, { fetch, limit: 100 })).resolves.toBeDefined()
    await expect(getJson(url, { fetch, limit: 99 })).rejects.toThrow('more than 99 bytes')
  })

  it('stops an answer without an end at the limit', async () => {
    const url = await serve(async (_, response) => {
      response.on('error', () => {})
      while (!response.destroyed && response.write('x'.repeat(1024))) await new Promise(setImmediate)
    })
    await expect(getJson(url, { fetch, limit: 4096 })).rejects.toThrow('more than 4096 bytes')
  })

  it('stops waiting for the head and for the body', async () => {
    const silent = await serve(() => {})
    await expect(getJson(silent, { fetch, timeout: 0.05 })).rejects.toThrow()
    server?.closeAllConnections()
    server?.close()
    const half = await serve((_, response) => response.write('{"a":'))
    await expect(getJson(half, { fetch, timeout: 0.05 })).rejects.toThrow()
  })
})
