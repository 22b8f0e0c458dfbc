import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { renderFormPost } from './form-post.ts'
import { pageHeaders } from './headers.ts'
import { lookFor } from './look.ts'
import { renderRefused } from './refused.ts'

const look = lookFor({}, { name: 'Example', accent: '#a02040' })

describe('the headers of pages', () => {
  it('[RFC9700-4.16] lets nothing in, and lets nobody frame', () => {
    const policy = policyOf(pageHeaders(look))
    expect([...policy.keys()]).toEqual(['default-src', 'style-src', 'form-action', 'frame-ancestors', 'base-uri'])
    expect(policy.get('default-src')).toEqual(["'none'"])
    expect(policy.get('form-action')).toEqual(["'self'"])
    expect(policy.get('frame-ancestors')).toEqual(["'none'"])
    expect(policy.get('base-uri')).toEqual(["'none'"])
  })

  it('[RFC9700-4.2] keeps pages out of caches, frames and referrers', () => {
    expect(pageHeaders(look)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'x-content-type-options': 'nosniff',
    })
  })

  it('names the style that the page carries, to the byte', () => {
    const [, style = ''] = /<style>(.*)<\/style>/s.exec(renderRefused({ error: 'e', says: 's' }, look)) ?? []
    expect(policyOf(pageHeaders(look)).get('style-src')).toEqual([`'sha256-${hash('sha256', style, 'base64')}'`])
  })

  it('names the one script for form_post only, to the byte', () => {
    const page = renderFormPost({ redirectUri: 'https://client.example/cb', parameters: [] }, look)
    const [, script = ''] = /<script>(.*)<\/script>/s.exec(page) ?? []
    expect(policyOf(pageHeaders(look, { submits: true })).get('script-src')).toEqual([
      `'sha256-${hash('sha256', script, 'base64')}'`,
    ])
  })

  it('lets scripts in from beside the page only, and these to nobody but whom they call', () => {
    const policy = policyOf(pageHeaders(look, { calls: ['https://a.example', 'https://b.example'] }))
    expect(policy.get('script-src')).toEqual(["'self'"])
    expect(policy.get('connect-src')).toEqual(['https://a.example', 'https://b.example'])
    expect(policy.get('require-trusted-types-for')).toEqual(["'script'"])
  })

  it('lets a logo in only where there is one', () => {
    const withLogo = lookFor({}, { name: 'Example', logo: 'data:image/png;base64,AA==' })
    expect(policyOf(pageHeaders(withLogo)).get('img-src')).toEqual(['data:'])
  })

  it.each([
    ['a client on the web and where it goes on to', 'https://client.example/cb', ['https:']],
    ['a native client on loopback', 'http://127.0.0.1:4711/cb', ['https:', 'http://127.0.0.1:4711']],
    ['one on IPv6, whose address the grammar cannot say', 'http://[::1]:4711/cb', ['https:', 'http:']],
    ['an app', 'com.example.app:/cb', ['com.example.app:']],
    ['a host that would end the directive', 'http://a;sandbox/cb', ['https:', 'http:']],
  ])('lets a form lead to %s', (_, redirectUri, targets) => {
    expect(policyOf(pageHeaders(look, { redirectUri })).get('form-action')).toEqual(["'self'", ...targets])
  })
})

function policyOf(headers: Readonly<Record<string, string>>): ReadonlyMap<string, readonly string[]> {
  const directives = (headers['content-security-policy'] ?? '').split('; ').map((each) => each.split(' '))
  return new Map(directives.map(([name = '', ...values]) => [name, values]))
}
