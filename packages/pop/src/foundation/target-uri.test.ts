import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { normalTargetUri } from './target-uri.ts'

const file = join(import.meta.dirname, '../../../../vectors/target-uris.json')
const { target, spellings } = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly target: string
  readonly spellings: readonly { readonly url: string; readonly verdict: string; readonly title: string }[]
}

describe('RFC 3986 §6.2 the normal form of an address', () => {
  it('is the address itself where that is normal', () => {
    expect(normalTargetUri(target)).toBe(target)
    expect(normalTargetUri('http://[::1]:8080/a//b/')).toBe('http://[::1]:8080/a//b/')
  })

  it.each(spellings.map(({ url, title, verdict }) => [title, verdict, url] as const))('%s: %s', (_, verdict, url) => {
    const normal = normalTargetUri(url)
    expect(normal === undefined ? 'none' : normal === target ? 'same' : 'other').toBe(verdict)
  })

  it.each([
    ['HTTP://A:80', 'http://a/'],
    ['https://a:8443?b', 'https://a:8443/'],
    ['https://[2001:DB8::A]/', 'https://[2001:db8::a]/'],
    ['https://a/%c3%a9', 'https://a/%C3%A9'],
    ['https://a%C3%A9/', 'https://a%c3%a9/'],
    ['https://a/b/../../../c/./', 'https://a/c/'],
    ['https://a//../b', 'https://a/b'],
    ['https://a/..b/.c/d..', 'https://a/..b/.c/d..'],
  ])('%s is %s', (written, normal) => {
    expect(normalTargetUri(written)).toBe(normal)
  })

  it('is its own normal form', () => {
    fc.assert(
      fc.property(address, ({ written }) => {
        const normal = normalTargetUri(written)
        expect(normal).toBeDefined()
        expect(normalTargetUri(normal ?? '')).toBe(normal)
      }),
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl(),
          fc.string({ unit: pieces }).map((rest) => `https://a${rest}`),
        ),
        (written) => {
          const normal = normalTargetUri(written)
          if (normal !== undefined) expect(normalTargetUri(normal)).toBe(normal)
        },
      ),
    )
  })

  it('is one for all spellings of an address, and never that of another', () => {
    fc.assert(
      fc.property(address, address, (one, other) => {
        const isSame = JSON.stringify(one.parts) === JSON.stringify(other.parts)
        expect(normalTargetUri(one.written) === normalTargetUri(other.written)).toBe(isSame)
      }),
      { numRuns: 1000 },
    )
  })

  it('takes a time that grows with the length only', () => {
    const begun = performance.now()
    for (const piece of ['a', '/', '/..', '%41', '%', ':', '1', '[', '\\', '?', '\n', '/.%2e'])
      normalTargetUri(`https://a${piece.repeat(100_000)}`)
    expect(performance.now() - begun).toBeLessThan(1000)
  })
})

const pieces = fc.constantFrom(...'ab/.%2e41?#:@\\ \n[]é', '/../', '/./', '%2F', '%7e')

/** Addresses that are seldom different, each written in one of the ways that RFC 3986 says are equivalent. */
const address = fc
  .record({
    scheme: fc.constantFrom('http', 'https'),
    host: fc.constantFrom('a', 'ab.c'),
    port: fc.constantFrom(undefined, 80, 443),
    path: fc.array(fc.constantFrom('', 'a', 'B', '~', '%2F', 'a;b'), { maxLength: 3 }),
    spelling: fc.record({
      capitals: fc.boolean(),
      escaped: fc.boolean(),
      writesDefaultPort: fc.constantFrom(undefined, '', 'number'),
      detour: fc.constantFrom('', '/.', '/x/..', '/%2e', '/x/y/../%2E.'),
      rest: fc.constantFrom('', '?a=/../b', '#c', '?#'),
    }),
  })
  .map(({ scheme, host, port, path, spelling }) => {
    const usual = scheme === 'https' ? 443 : 80
    const isDefault = port === undefined || port === usual
    const written = { undefined: '', '': ':', number: `:${usual}` }[String(spelling.writesDefaultPort)]
    const cased = (text: string) => (spelling.capitals ? text.toUpperCase() : text)
    const characters = path.map((segment) =>
      spelling.escaped ? segment.replace('a', '%61').replace('~', '%7e').replace('%2F', '%2f') : segment,
    )
    const route =
      path.length === 0 ? `${spelling.detour}${spelling.detour && '/'}` : `${spelling.detour}/${characters.join('/')}`
    return {
      parts: [scheme, host, isDefault ? usual : port, path.length === 0 ? '/' : `/${path.join('/')}`],
      written: `${cased(scheme)}://${cased(host)}${isDefault ? written : `:${port}`}${route}${spelling.rest}`,
    }
  })
