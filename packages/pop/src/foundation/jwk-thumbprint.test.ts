import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../node/primitives.ts'
import { createTestProofKey } from '../testing/proofs.ts'
import { parsePublicJwk } from './jwk.ts'
import { jwkThumbprint, thumbprintInput } from './jwk-thumbprint.ts'

describe('RFC 7638 thumbprints', () => {
  const thumbprint = async (key: unknown): Promise<string> => {
    const parsed = parsePublicJwk(key)
    return parsed ? await jwkThumbprint(parsed, nodePrimitives) : ''
  }

  it('[RFC7638-3.1] the example', async () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
    expect(await thumbprint({ kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' })).toBe(
      'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
    )
  })

  it('[RFC8037-A.3] the example', async () => {
    expect(await thumbprint({ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' })).toBe(
      'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k',
    )
  })

  it('[RFC9449-6.1] the example', async () => {
    const x = 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs'
    const y = '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA'
    expect(await thumbprint({ crv: 'P-256', y, x, kty: 'EC' })).toBe('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I')
  })

  it('RFC 9964: of an ML-DSA key, alg is a part', () => {
    const { jwk } = createTestProofKey('ML-DSA-44')
    const { alg, kty, pub } = jwk as { readonly alg: string; readonly kty: string; readonly pub: string }
    expect(thumbprintInput(jwk)).toBe(JSON.stringify({ alg, kty, pub }))
  })
})
