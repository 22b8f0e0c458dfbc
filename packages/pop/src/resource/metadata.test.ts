import { describe, expect, it } from 'vitest'
import { createResourceMetadata } from './metadata.ts'

const issuer = 'https://issuer.test'

describe('RFC 9728 the metadata of an API', () => {
  it('[RFC9728-2] says who issues, how tokens are sent, and that they are bound', () => {
    expect(createResourceMetadata({ identifier: 'https://api.test', issuer })?.document).toEqual({
      resource: 'https://api.test',
      authorization_servers: ['https://issuer.test'],
      bearer_methods_supported: ['header'],
      tls_client_certificate_bound_access_tokens: true,
    })
  })

  it.each([
    ['https://api.test', '/.well-known/oauth-protected-resource'],
    ['https://api.test/', '/.well-known/oauth-protected-resource'],
    ['https://api.test:5003/v1', '/.well-known/oauth-protected-resource/v1'],
    ['https://api.test/v1?tenant=a', '/.well-known/oauth-protected-resource/v1?tenant=a'],
  ])('[RFC9728-3.1] of %s lies at %s', (identifier, target) => {
    const { origin } = new URL(identifier)
    expect(createResourceMetadata({ identifier, issuer })).toMatchObject({ target, url: origin + target })
  })

  it.each(['urn:example:api', 'http://api.test'])('[RFC9728-1.2] of %s has no place', (identifier) => {
    expect(createResourceMetadata({ identifier, issuer })).toBeUndefined()
  })
})
