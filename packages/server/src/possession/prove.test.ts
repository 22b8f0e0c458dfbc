import { X509Certificate } from 'node:crypto'
import { createDpopContext, verifyCertificate, verifyDpopProof } from '@holdfast/pop'
import { createClientCertificate, nodePrimitives } from '@holdfast/pop/certificates'
import { createTestProofKey, signProof, testNow } from '@holdfast/pop/testing'
import { describe, expect, it } from 'vitest'
import { earlyBindingOf, possessionMethods } from './prove.ts'

const key = createTestProofKey()
const request = { method: 'POST', url: 'https://issuer.test/par' }
const context = createDpopContext(new Uint8Array(32), { now: () => testNow, primitives: nodePrimitives })
const policy = { algorithms: ['ES256'], nonces: 'off' } as const
const { possession: byProof } = await verifyDpopProof([signProof(key, request)], request, policy, context)

const pair = await createClientCertificate({ name: 'phone', keyType: 'P-256' })
const { raw, validFromDate } = new X509Certificate(pair.certificate)
const presented = { chain: [raw.toString('base64')], from: 'tls' } as const
const byCertificate = verifyCertificate(presented, validFromDate.getTime() / 1000, nodePrimitives)

describe('what is begun before there is a token', () => {
  const toProof = { jkt: key.thumbprint }
  const toCertificate = { publicKey: byCertificate.publicKeyThumbprint }

  it.each([
    ['[RFC9449-10.1-3] a public client, with a proof', 'none', byProof, toProof],
    ['[RFC9449-10.1-3] a client with a secret, with a proof', 'secret', byProof, toProof],
    ['a client with a certificate, with a proof', 'certificate', byProof, toProof],
    ['a public client, with a certificate', 'none', byCertificate, toCertificate],
    ['a client with a secret, with a certificate', 'secret', byCertificate, undefined],
    ['a client with a certificate', 'certificate', byCertificate, undefined],
    ['a public client, with nothing', 'none', undefined, undefined],
  ] as const)('is bound for %s', (_, authentication, possession, binding) => {
    expect(earlyBindingOf({ authentication }, possession ? { possession } : {})).toEqual(binding)
  })
})

describe('the list of methods', () => {
  it('[T77] begins with the one that binds when several are shown', () => {
    expect(possessionMethods.map(({ missing }) => missing)).toEqual(['dpop_required', 'certificate_required'])
  })
})
