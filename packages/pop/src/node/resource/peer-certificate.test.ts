import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import { presentInHandshake } from '../../testing/handshake.ts'
import { keyTypes } from '../certificates/key-type.ts'
import { createCertificateAuthority, createClientCertificate, issueCertificate } from '../certificates/make.ts'
import { nodePrimitives } from '../primitives.ts'
import { type PeerSocket, readPeerCertificate } from './peer-certificate.ts'
import { clientCertificateTlsOptions } from './tls-options.ts'

describe('the certificate of a connection', () => {
  it.each(keyTypes)('[RFC8705-3.1] arrives byte for byte with a key of type %s', async (keyType) => {
    const pair = await createClientCertificate({ name: 'client', keyType })
    const presented = await presentInHandshake(pair)
    expect(presented).toMatchObject({ from: 'tls', chain: [pair.certificate.replace(/-----.*?-----|\s/g, '')] })
    if (presented) expect(nodePrimitives.readCertificate(presented).thumbprint).toBe(pair.thumbprint)
  })

  it('brings the chain along, its own first', async () => {
    const ca = await createCertificateAuthority({ name: 'CA' })
    const leaf = await issueCertificate({ subject: 'client', keyType: 'P-256', issuer: ca })
    const presented = await presentInHandshake({ certificate: leaf.certificate + ca.certificate, key: leaf.key })
    expect(presented?.chain).toHaveLength(2)
    if (presented) expect(nodePrimitives.readCertificate(presented).thumbprint).toBe(leaf.thumbprint)
  })

  it('is undefined where the client has none', async () => {
    expect(await presentInHandshake()).toBeUndefined()
  })

  it('is undefined on a connection without TLS', () => {
    expect(readPeerCertificate({})).toBeUndefined()
  })

  it('is read once, and stays when the connection is gone', async () => {
    let looks = 0
    const socket: PeerSocket = {
      getPeerX509Certificate() {
        looks++
        return undefined
      },
    }
    readPeerCertificate(socket)
    readPeerCertificate(socket)
    expect(looks).toBe(1)
  })
})

requirePrograms('openssl')('what a listener says when it asks for a certificate', () => {
  it('names no CAs, since many clients send nothing that no name fits', async () => {
    const { certificate: cert, key } = await issueCertificate({
      subject: 'localhost',
      keyType: 'P-256',
      dns: ['localhost'],
    })
    const server = createServer({ ...clientCertificateTlsOptions, cert, key }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const asked = promisify(execFile)('openssl', [
      's_client',
      '-connect',
      `127.0.0.1:${port}`,
      '-servername',
      'localhost',
    ])
    asked.child.stdin?.end()
    const { stdout } = await asked
    server.close()
    expect(stdout).toContain('No client certificate CA names sent')
    expect(stdout).toContain('New, TLSv1.3')
  })
})
