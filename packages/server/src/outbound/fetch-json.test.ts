import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import { afterEach, describe, expect, it } from 'vitest'
import { fetchJson } from './fetch-json.ts'

const authority = await createCertificateAuthority({ name: 'Keys' })
const pair = await issueCertificate({ subject: 'localhost', issuer: authority, keyType: 'P-256', dns: ['localhost'] })
const trusted = { allowPrivateAddresses: true, ca: authority.certificate }
let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => unknown): Promise<URL> {
  server = createServer({ cert: pair.certificate, key: pair.key }, answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return new URL(`https://localhost:${(server.address() as AddressInfo).port}/`)
}

describe('one bounded GET', () => {
  it('gives a JSON object', async () => {
    const url = await serve((_, response) => response.end('{"keys":[]}'))
    expect(await fetchJson(url, trusted)).toEqual({ keys: [] })
  })

  it('ends in time when the server goes over to another protocol', async () => {
    const switching = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\nconnection: upgrade\r\n\r\n'
    const url = await serve(({ socket }) => socket.write(switching))
    await expect(fetchJson(url, trusted)).rejects.toThrow('in time')
  }, 10_000)

  it('trusts no other certificate, whatever the environment says', async () => {
    const url = await serve((_, response) => response.end('{}'))
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    try {
      await expect(fetchJson(url, { allowPrivateAddresses: true })).rejects.toMatchObject({
        code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      })
    } finally {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    }
  })

  it.each([
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '10.0.0.1',
    '169.254.169.254',
    '[::]',
    '[::1]',
    '[::127.0.0.1]',
    '[::ffff:10.0.0.1]',
    '[64:ff9b::a00:1]',
    '[64:ff9b:1::a00:1]',
    '[2002:a00:1::]',
    '[2001::a00:1]',
    '[fc00::1]',
    '[fe80::1]',
    '[fec0::1]',
  ])('does not connect to %s', async (host) => {
    const asked = fetchJson(new URL(`https://${host}/`), { allowPrivateAddresses: false })
    await expect(asked).rejects.toThrow('is a private address')
  })

  it('does not connect to a name that leads to one', async () => {
    const asked = fetchJson(new URL('https://localhost/'), { allowPrivateAddresses: false })
    await expect(asked).rejects.toThrow('localhost has a private address')
  })
})
