import { type ChildProcess, execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { clientCertificateTlsOptions } from '@holdfast/pop/resource/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requirePrograms } from '../../../../conformance/requires.ts'
import { freeBase, holdfast, origin, start, stop, untilPrints } from './command-line.fixture.ts'

const directories: string[] = []
const home = process.cwd()

afterAll(() => {
  process.chdir(home)
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

describe('holdfast dev', () => {
  const directory = newDirectory()
  let base: number
  let dev: ChildProcess
  let at: { readonly issuer: string; readonly mutualTls: string; readonly api: string }
  const ca = join('.holdfast', 'tls', 'ca.pem')

  beforeAll(async () => {
    base = await freeBase()
    dev = await startDev(directory, base)
    at = { issuer: origin(base + 1), mutualTls: origin(base + 2), api: origin(base + 3) }
  })
  afterAll(() => stop(dev))

  const run = (...args: string[]) => holdfast(directory, ...args)
  const getToken = (...args: string[]) =>
    run('token', '--client', 'client', '--secret', 'secret', '--scope', 'api1', ...args)

  it('keeps its data under .holdfast and nowhere else, for its owner only', () => {
    expect(readdirSync(directory)).toEqual(['.holdfast'])
    expect(statSync(join(directory, '.holdfast')).mode & 0o777).toBe(0o700)
    for (const name of [
      'tls/ca.key',
      'tls/server.key',
      'tls/mtls.key',
      'assertion.key',
      'holdfast.db',
      'holdfast.yaml',
    ])
      expect(statSync(join(directory, '.holdfast', name)).mode & 0o777).toBe(0o600)
  })

  it('listens on both addresses of localhost and on no other', async () => {
    for (const port of [base + 1, base + 2, base + 3, base + 4]) expect(await isOpen('127.0.0.1', port)).toBe(true)
    const ours = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
    if (ours.some(({ address }) => address === '::1'))
      for (const port of [base + 1, base + 2, base + 3, base + 4]) expect(await isOpen('::1', port)).toBe(true)
    for (const { address } of ours.filter(({ internal, family }) => !internal && family === 'IPv4'))
      expect(await isOpen(address, base + 1)).toBe(false)
  })

  it('gives the client of the seed page a bound token, which its API takes from that client', async () => {
    const { code, out } = await getToken('--json')
    expect(code).toBe(0)
    const token = JSON.parse(out)
    expect(token.cnf).toEqual({ 'x5t#S256': token.thumbprint })
    const called = await run('call', `${at.api}/identity`, '--json')
    expect(called.code).toBe(0)
    const { body } = JSON.parse(called.out)
    expect(body.verdict.admitted).toBe(true)
    expect(body.claims).toMatchObject({ client_id: 'client', scope: 'api1', cnf: token.cnf })
  })

  it('prints the token alone on standard output', async () => {
    expect((await getToken()).out).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  })

  it.each([
    ['mtls', ['--cert', '.holdfast/tls/mtls.pem', '--key', '.holdfast/tls/mtls.key']],
    ['pinned', ['--cert', '.holdfast/tls/pinned.pem', '--key', '.holdfast/tls/pinned.key']],
    ['assertion', ['--assertion-key', '.holdfast/assertion.key']],
    ['reference', ['--secret', 'secret']],
  ])('gives the client %s a token that its API takes', async (client, credentials) => {
    expect((await run('token', '--client', client, '--scope', 'api1', ...credentials)).code).toBe(0)
    expect((await run('call', `${at.api}/identity`)).code).toBe(0)
  })

  it.each([
    ['mtls', ['--cert', '.holdfast/tls/mtls.pem', '--key', '.holdfast/tls/mtls.key'], []],
    ['pinned', ['--cert', '.holdfast/tls/pinned.pem', '--key', '.holdfast/tls/pinned.key'], []],
    ['reference', ['--secret', 'secret'], ['--secret', 'secret']],
  ])('ends the session of the client %s, and its token at the server', async (client, credentials, again) => {
    const { out } = await run('token', '--client', client, '--scope', 'api1', ...credentials)
    expect((await run('logout', ...again)).code).toBe(0)
    const asked = ['inspect', out.trim(), '--introspect', '--client', 'api1', '--secret', 'api1-secret', '--json']
    const { out: inspected } = await run(...asked, '--issuer', at.issuer)
    expect(JSON.parse(inspected).introspection).toEqual({ active: false })
  })

  it('refuses a token that is bound to nothing at its API, and says why', async () => {
    expect((await getToken('--unbound')).code).toBe(0)
    const { code, err } = await run('call', `${at.api}/identity`)
    expect(code).toBe(1)
    expect(err).toContain('bound to no key')
  })

  it('takes the secret from a file or from the environment, so that nobody sees it', async () => {
    writeFileSync(join(directory, '.holdfast', 'client.secret'), 'secret\n')
    const asked = ['token', '--client', 'client', '--scope', 'api1']
    expect((await run(...asked)).code).toBe(1)
    expect((await run(...asked, '--secret-file', '.holdfast/client.secret')).code).toBe(0)
    process.env.HOLDFAST_CLIENT_SECRET = 'secret'
    const fromEnvironment = await run(...asked)
    delete process.env.HOLDFAST_CLIENT_SECRET
    expect(fromEnvironment.code).toBe(0)
  })

  it('refuses a wrong secret with exit 1', async () => {
    const { code, err } = await run('token', '--client', 'client', '--secret', 'guess', '--scope', 'api1')
    expect(code).toBe(1)
    expect(err).toContain('invalid_client')
    expect(err).not.toContain('guess')
  })

  it('reports on one line, whatever a stranger calls himself', async () => {
    let err = ''
    const hear = (text: string) => {
      err += text
    }
    dev.stderr?.on('data', hear)
    await run('token', '--client', 'eve\n\x07refused client_unknown mallory', '--secret', 'guess')
    await expect.poll(() => err).toContain('mallory')
    dev.stderr?.off('data', hear)
    expect(err).toMatch(/^refused client_unknown eve .refused client_unknown mallory\n$/)
    expect(err).not.toContain('\x07')
  })

  it('says why a call with another certificate is refused', async () => {
    await getToken()
    await run('cert', 'new', '--name', 'client', '--out', '.holdfast/other')
    const { code, err } = await run(
      ...['call', `${at.api}/identity`, '--cert', '.holdfast/other.pem', '--key', '.holdfast/other.key'],
    )
    expect(code).toBe(1)
    expect(err).toContain('was shown')
  })

  describe('holdfast steal', () => {
    it('exits 0 when the API refuses every theft', async () => {
      await getToken()
      const { code, out } = await run('steal', '--json')
      const heist = JSON.parse(out)
      expect({ code, safe: heist.safe, owner: heist.owner.status }).toEqual({ code: 0, safe: true, owner: 200 })
      expect(heist.thefts.map(({ name, outcome }: { name: string; outcome: string }) => [name, outcome])).toEqual([
        ['no certificate', 'refused'],
        ['same name', 'refused'],
        ['borrowed chain', 'refused'],
        ['forged header', 'refused'],
        ['resumed session', 'refused'],
        ['as DPoP', 'refused'],
      ])
    })

    it('exits 1 when an API answers anybody', async () => {
      await getToken()
      const tls = (name: string) => readFileSync(join(directory, '.holdfast', 'tls', name))
      const server = createServer(
        { ...clientCertificateTlsOptions, key: tls('server.key'), cert: tls('server.pem') },
        (_, response) => response.end('{}'),
      ).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const { code, err } = await run('steal', `${origin(port)}/orders`)
      server.close()
      expect(code).toBe(1)
      expect(err).toContain('can be stolen')
    })

    it('tries a reference token too', async () => {
      await run('token', '--client', 'reference', '--secret', 'secret', '--scope', 'api1')
      expect((await run('steal')).code).toBe(0)
    })

    it('exits 1 when the owner is refused too, since then refusals show nothing', async () => {
      await getToken()
      const { code, out } = await run('steal', `${at.api}/nothing-here`, '--json')
      expect({ code, safe: JSON.parse(out).safe }).toEqual({ code: 1, safe: false })
    })
  })

  it('reads a token, verifies it and compares it with a certificate', async () => {
    await getToken()
    const certificate = ['--cert', '.holdfast/session/certificate.pem']
    const { code, out } = await run('inspect', '--json', '--issuer', at.issuer, ...certificate)
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      signature: 'valid',
      certificate: { bound: true },
      header: { typ: 'at+jwt' },
    })
    expect((await run('inspect', '--cert', '.holdfast/tls/mtls.pem')).code).toBe(1)
  })

  it('asks the issuer about a token only when it is told to', async () => {
    await run('token', '--client', 'reference', '--secret', 'secret', '--scope', 'api1')
    expect((await run('inspect')).code).toBe(1)
    const { code, out } = await run('inspect', '--introspect', '--client', 'api1', '--secret', 'api1-secret', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out).introspection).toMatchObject({ active: true, client_id: 'reference' })
    const asked = ['inspect', '--introspect', '--client', 'api1', '--secret', 'api1-secret']
    expect((await run(...asked, '--cert', '.holdfast/session/certificate.pem')).code).toBe(0)
    expect((await run(...asked, '--cert', '.holdfast/tls/mtls.pem')).code).toBe(1)
    expect((await run(...asked.slice(0, -1), 'wrong')).code).toBe(1)
  })

  it('adds a client while it runs, who gets a token at once; its secret is shown once', async () => {
    const added = await run('client', 'add', 'shop', '--scope', 'api1', '--json')
    expect(added.code).toBe(0)
    const { client_secret: secret } = JSON.parse(added.out)
    expect(secret).toMatch(/^[\w-]{43}$/)
    const shown = await run('client', 'show', 'shop', '--json')
    expect(shown.out).not.toContain(secret)
    expect(shown.out).not.toMatch(/sha256:|client_secret/)
    expect((await run('token', '--client', 'shop', '--secret', secret, '--scope', 'api1')).code).toBe(0)
    expect((await run('client', 'remove', 'shop')).code).toBe(0)
    expect((await run('token', '--client', 'shop', '--secret', secret, '--scope', 'api1')).code).toBe(1)
  })

  it('keeps tokens valid over a rotation of its keys', async () => {
    await getToken()
    expect((await run('key', 'rotate', '--json')).code).toBe(0)
    expect((await run('call', `${at.api}/identity`)).code).toBe(0)
    const { keys } = JSON.parse((await run('key', 'list', '--json')).out)
    const ours = keys.filter(({ algorithm }: { algorithm: string }) => algorithm === 'ES256')
    expect(ours.map(({ stage }: { stage: string }) => stage).sort()).toEqual(['active', 'next', 'retired'])
  })

  it('keeps tokens, keys and CA when it starts again', async () => {
    await getToken()
    const before = readFileSync(join(directory, ca), 'utf8')
    expect(await stop(dev)).toBe(0)
    dev = await startDev(directory, base)
    expect(readFileSync(join(directory, ca), 'utf8')).toBe(before)
    expect((await run('call', `${at.api}/identity`)).code).toBe(0)
  })

  it('names the port that is taken, exits 69 and leaves no other one open', async () => {
    const child = start(newDirectory(), 'dev', '--port-base', String(base + 2))
    let err = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    const [code] = await once(child, 'close')
    expect(code).toBe(69)
    expect(err).toContain(`Port ${base + 3} is in use`)
  })

  it('gives its store to one process only, and says who has it', async () => {
    const settings = join(directory, '.holdfast', 'holdfast.yaml')
    const before = readFileSync(settings, 'utf8')
    const { code, err } = await run('dev', '--port-base', String(await freeBase()))
    expect(code).toBe(69)
    expect(err).toContain(`in this folder already: ${at.issuer}, process ${dev.pid}`)
    expect(err).not.toContain('store.file')
    expect(readFileSync(settings, 'utf8')).toBe(before)
  })

  requirePrograms('openssl', 'curl')('with curl and openssl', () => {
    const tool = async (name: string, ...args: string[]) =>
      (await promisify(execFile)(name, args, { cwd: directory })).stdout
    const curl = (...args: string[]) => tool('curl', '-s', '--cacert', ca, ...args)
    const form = 'grant_type=client_credentials&client_id=client&client_secret=secret&scope=api1'
    const request = ['-newkey', 'rsa:2048', '-nodes', '-keyout', 'c.key', '-subj', '/CN=client']

    it.each([
      ['of openssl req -x509', [['req', '-x509', ...request, '-out', 'c.pem', '-days', '10']]],
      [
        'of openssl x509 -req, version 1',
        [
          ['req', ...request, '-out', 'c.csr'],
          ['x509', '-req', '-in', 'c.csr', '-signkey', 'c.key', '-out', 'c.pem'],
        ],
      ],
    ])('binds the token to the certificate %s, which the API takes and no other', async (_, commands) => {
      for (const command of commands) await tool('openssl', ...command)
      const pair = ['--cert', 'c.pem', '--key', 'c.key']
      const { access_token: token } = JSON.parse(await curl(...pair, '-d', form, `${at.mutualTls}/token`))
      const { cnf } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
      const said = await tool('openssl', 'x509', '-in', 'c.pem', '-noout', '-fingerprint', '-sha256')
      const fingerprint = Buffer.from(said.split('=')[1]?.trim().replaceAll(':', '') ?? '', 'hex')
      expect(cnf).toEqual({ 'x5t#S256': fingerprint.toString('base64url') })

      const status = ['-w', '%{http_code} %header{www-authenticate}', '-o', 'body']
      const identity = [...status, '-H', `Authorization: Bearer ${token}`, `${at.api}/identity`]
      const other = ['--cert', '.holdfast/tls/mtls.pem', '--key', '.holdfast/tls/mtls.key']
      expect(await curl(...pair, ...identity)).toBe('200 ')
      expect(await curl(...other, ...identity)).toMatch(/^401 Bearer error="invalid_token"/)
      expect(await curl(...identity)).toMatch(/^401 Bearer error="invalid_token"/)
    })

    it.each(['mutualTls', 'api'] as const)('names no CAs to clients at %s', async (listener) => {
      const address = at[listener].replace('https://', '')
      const asked = promisify(execFile)('openssl', ['s_client', '-connect', address])
      asked.child.stdin?.end()
      expect((await asked).stdout).toContain('No client certificate CA names sent')
    })

    it('takes the seeded secrets by Basic too', async () => {
      const answer = await curl(
        '-u',
        'client:secret',
        '-d',
        'grant_type=client_credentials&scope=api1',
        `${at.issuer}/token`,
      )
      expect(JSON.parse(answer)).toMatchObject({ token_type: 'Bearer', scope: 'api1' })
    })
  })
})

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
  directories.push(directory)
  return directory
}

async function startDev(directory: string, base: number): Promise<ChildProcess> {
  const child = start(directory, 'dev', '--json', '--port-base', String(base))
  await untilPrints(child, '"issuer"')
  return child
}

function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
