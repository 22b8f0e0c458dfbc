import { describe, expect, it } from 'vitest'
import { isWebOrigin } from './web-origin.ts'

describe('RFC 6454 §6.2 the origin of a web application', () => {
  it.each([
    'https://app.example',
    'https://app.example:8443',
    'https://xn--bcher-kva.example',
    'https://app.example.',
    'https://192.0.2.1',
    'https://[2001:db8::1]:8443',
    'http://localhost:3000',
    'http://localhost',
    'http://127.0.0.1:3000',
    'http://[::1]:3000',
  ])('is %s', (origin) => {
    expect(isWebOrigin(origin)).toBe(true)
  })

  it.each([
    ['nothing', ''],
    ['the origin of a sandboxed frame', 'null'],
    ['everybody', '*'],
    ['a wildcard', 'https://*.app.example'],
    ['a wildcard for the port', 'https://app.example:*'],
    ['a trailing slash', 'https://app.example/'],
    ['a path', 'https://app.example/app'],
    ['a query', 'https://app.example?'],
    ['a fragment', 'https://app.example#'],
    ['a user', 'https://user@app.example'],
    ['upper case in the host', 'https://App.example'],
    ['upper case in the scheme', 'HTTPS://app.example'],
    ['the port that goes without saying', 'https://app.example:443'],
    ['the same on loopback', 'http://localhost:80'],
    ['a port with a zero in front', 'https://app.example:08443'],
    ['no port after the colon', 'https://app.example:'],
    ['a port too high', 'https://app.example:65536'],
    ['no scheme', 'app.example'],
    ['http elsewhere', 'http://app.example'],
    ['http on a name that only begins like loopback', 'http://localhost.app.example'],
    ['http on another spelling of loopback', 'http://127.1'],
    ['an address in another spelling', 'https://192.0.2.01'],
    ['an IPv6 address in another spelling', 'https://[2001:db8:0::1]'],
    ['the scheme of an extension', 'chrome-extension://abcdefghijklmnop'],
    ['a file', 'file://'],
    ['letters that are written otherwise on the wire', 'https://bücher.example'],
    ['two', 'https://app.example,https://app.test'],
    ['two with a space between', 'https://app.example https://app.test'],
    ['a line break', 'https://app.example\n'],
    ['a backslash', 'https://app.example\\'],
  ])('is not %s', (_, origin) => {
    expect(isWebOrigin(origin)).toBe(false)
  })
})
