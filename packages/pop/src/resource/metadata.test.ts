import { describe, expect, it } from 'vitest'
import { createResourceMetadata, type ResourceDescription } from './metadata.ts'

const issuer = 'https://issuer.test'
const api: ResourceDescription = {
  identifier: 'https://api.test',
  issuer,
  methods: ['mutual-tls', 'dpop'],
  schemes: ['Bearer', 'DPoP'],
  algorithms: ['ES256', 'Ed25519'],
}

describe('RFC 9728 the metadata of an API', () => {
  it('[RFC9728-2] says who issues, how tokens are sent, and that they are bound', () => {
    expect(createResourceMetadata({ ...api, scopes: ['read'] })?.document).toEqual({
      resource: 'https://api.test',
      authorization_servers: ['https://issuer.test'],
      bearer_methods_supported: ['header'],
      scopes_supported: ['read'],
      tls_client_certificate_bound_access_tokens: true,
      dpop_signing_alg_values_supported: ['ES256', 'Ed25519'],
    })
  })

  it('[RFC9728-2] does not name a method that is not taken', () => {
    expect(createResourceMetadata({ ...api, methods: ['mutual-tls'], schemes: ['Bearer'] })?.document).toEqual({
      resource: 'https://api.test',
      authorization_servers: ['https://issuer.test'],
      bearer_methods_supported: ['header'],
      tls_client_certificate_bound_access_tokens: true,
    })
  })

  it('[RFC9728-2] says where DPoP is the only way', () => {
    expect(createResourceMetadata({ ...api, methods: ['dpop'], schemes: ['DPoP'] })?.document).toEqual({
      resource: 'https://api.test',
      authorization_servers: ['https://issuer.test'],
      bearer_methods_supported: [],
      dpop_signing_alg_values_supported: ['ES256', 'Ed25519'],
      dpop_bound_access_tokens_required: true,
    })
  })

  it.each([
    ['https://api.test', '/.well-known/oauth-protected-resource'],
    ['https://api.test/', '/.well-known/oauth-protected-resource'],
    ['https://api.test:5003/v1', '/.well-known/oauth-protected-resource/v1'],
    ['https://api.test/v1?tenant=a', '/.well-known/oauth-protected-resource/v1?tenant=a'],
  ])('[RFC9728-3.1] of %s lies at %s', (identifier, target) => {
    const { origin } = new URL(identifier)
    expect(createResourceMetadata({ ...api, identifier })).toMatchObject({ target, url: origin + target })
  })

  it.each(['urn:example:api', 'http://api.test'])('[RFC9728-1.2] of %s has no place', (identifier) => {
    expect(createResourceMetadata({ ...api, identifier })).toBeUndefined()
  })
})
