import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freeBase, holdfast, origin } from './command-line.fixture.ts'

const home = process.cwd()

describe('holdfast client, for clients that act for people', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-'))
  beforeAll(async () => {
    const base = await freeBase()
    await holdfast(directory, 'cert', 'ca', '--name', 'as', '--out', 'as')
    const listener = (port: number) => ({ port, host: 'localhost', certificate: 'as.pem', key: 'as.key' })
    const settings = {
      issuer: origin(base + 1),
      listen: { public: listener(base + 1), mutualTls: listener(base + 2) },
      apis: [{ identifier: 'https://api.example.com', scopes: ['api1'] }],
    }
    writeFileSync(join(directory, 'holdfast.yaml'), JSON.stringify(settings))
  })
  afterAll(() => {
    process.chdir(home)
    rmSync(directory, { recursive: true, force: true })
  })

  const uri = 'https://app.example.com/'
  const page = [
    ...['client', 'add', 'page', '--method', 'none', '--dpop-bound', '--dpop-nonces', 'required', '--type', 'web'],
    ...['--grant', 'authorization_code', '--grant', 'refresh_token', '--redirect-uri', uri],
    ...['--post-logout-redirect-uri', uri, '--web-origin', 'https://app.example.com', '--scope', 'openid api1'],
  ]
  const shown = async () => JSON.parse((await holdfast(directory, 'client', 'show', 'page', '--json')).out).client

  it('registers what the line says', async () => {
    expect((await holdfast(directory, ...page)).code).toBe(0)
    expect(await shown()).toMatchObject({
      token_endpoint_auth_method: 'none',
      application_type: 'web',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [uri],
      post_logout_redirect_uris: [uri],
      web_origins: ['https://app.example.com'],
      dpop_bound_access_tokens: true,
      dpop_nonces: 'required',
    })
  })

  it('changes one thing and leaves the rest', async () => {
    const edit = ['client', 'edit', 'page', '--no-dpop-bound', '--dpop', 'refresh-tokens']
    expect((await holdfast(directory, ...edit)).code).toBe(0)
    expect(await shown()).toMatchObject({
      dpop_bound_access_tokens: false,
      dpop: 'refresh-tokens',
      redirect_uris: [uri],
    })
  })

  it.each([
    ['an origin with a path', ['--web-origin', uri], /web_origins/],
    ['a redirect URI without TLS', ['--redirect-uri', 'http://app.example.com/'], /redirect_uris/],
    ['a grant that there is not', ['--grant', 'password'], /grant_types/],
  ])('names %s', async (_, change, says) => {
    const { code, err } = await holdfast(directory, 'client', 'edit', 'page', ...change)
    expect(code).toBe(1)
    expect(err).toMatch(says)
  })

  it('knows its words', async () => {
    expect((await holdfast(directory, 'client', 'edit', 'page', '--dpop', 'always')).code).toBe(2)
  })
})
