import { describe, expect, it } from 'vitest'
import { clientSchema } from './client.ts'
import { isRedirectUri, isRegisteredRedirectUri } from './redirect-uri.ts'

describe('RFC 9700 §2.6, RFC 8252 §7 redirect URIs that can be registered', () => {
  it.each([
    'https://app.test/callback',
    'https://app.test',
    'https://app.test:8443/callback?tenant=1',
    'http://127.0.0.1/callback',
    'http://[::1]:8080/callback',
    'http://localhost:3000/callback',
  ])('%s, of all applications', (uri) => {
    expect(isRedirectUri(uri, 'web')).toBe(true)
    expect(isRedirectUri(uri, 'native')).toBe(true)
  })

  it.each(['com.example.app:/callback', 'com.example.app:callback', 'com.example.app://callback'])(
    '[RFC8252-7.1] %s, of native ones only',
    (uri) => {
      expect(isRedirectUri(uri, 'native')).toBe(true)
      expect(isRedirectUri(uri, 'web')).toBe(false)
    },
  )

  it.each([
    '',
    'callback',
    '/callback',
    '//app.test/callback',
    'https:app.test/callback',
    'https:///callback',
    'https://app.test/callback#fragment',
    'https://app.test/callback#',
    'https://user@app.test/callback',
    'https://app.test@evil.test/callback',
    'https://app.test/a/../callback',
    'https://app.test/a/%2e%2E/callback',
    'https://app.test\\callback',
    'https://*.app.test/callback',
    'https://app.test/call back',
    'https://app.test/call\tback',
    'https://аpp.test/callback',
    'http://app.test/callback',
    'http://127.0.0.2/callback',
    'http://127.0.0.1.evil.test/callback',
    'http://localhost.evil.test/callback',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'vbscript:x',
    'blob:https://app.test/x',
    'myapp:/callback',
    'com.example.app:///callback',
    'com.example.app:',
  ])('[A07] not %j', (uri) => {
    expect(isRedirectUri(uri, 'web')).toBe(false)
    expect(isRedirectUri(uri, 'native')).toBe(false)
  })

  it.each(['code', 'state', 'iss', 'error', 'error_description', 'error_uri', '%73tate'])(
    '[RFC6749-3.1-8] not with %s in its query, which the answer would repeat',
    (name) => {
      expect(isRedirectUri(`https://app.test/callback?x${name}=1`, 'web')).toBe(true)
      expect(isRedirectUri(`https://app.test/callback?x=1&${name}=1`, 'web')).toBe(false)
    },
  )

  it('[A07] a client that names another is no client', () => {
    const client = { client_id: 'app', client_secret: 'secret', grant_types: ['authorization_code'] }
    const parse = (uri: string) => clientSchema.safeParse({ ...client, redirect_uris: [uri] }).success
    expect(parse('https://app.test/callback')).toBe(true)
    expect(parse('javascript:alert(1)')).toBe(false)
    expect(clientSchema.safeParse(client).success).toBe(false)
  })
})

describe('RFC 9700 §2.1 a redirect URI is compared as text', () => {
  const native = { redirect_uris: ['http://127.0.0.1:8080/cb', 'http://[::1]/cb'], application_type: 'native' } as const

  it('[RFC8252-7.3] a native loopback one with any port', () => {
    expect(isRegisteredRedirectUri('http://127.0.0.1:1/cb', native)).toBe(true)
    expect(isRegisteredRedirectUri('http://127.0.0.1:65535/cb', native)).toBe(true)
    expect(isRegisteredRedirectUri('http://127.0.0.1/cb', native)).toBe(true)
    expect(isRegisteredRedirectUri('http://[::1]:50000/cb', native)).toBe(true)
  })

  it.each([
    'http://127.0.0.1:65536/cb',
    'http://127.0.0.1:0/cb',
    'http://127.0.0.1:/cb',
    'http://127.0.0.1:80a/cb',
    'http://localhost:8080/cb',
    'http://127.0.0.1:8080/cb?x',
  ])('[RFC8252-7.3] not %s', (uri) => {
    expect(isRegisteredRedirectUri(uri, native)).toBe(false)
  })

  it('the port of a web application is its own', () => {
    expect(isRegisteredRedirectUri('http://127.0.0.1:1/cb', { ...native, application_type: 'web' })).toBe(false)
  })
})
