import { get } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { createClientCertificate, createTestProofKey, signProof } from '@holdfast/pop/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { freePort, type Harness, startServer } from './harness.ts'
import { startPostgres } from './postgres-server.ts'
import { startRedis } from './redis-server.ts'
import { requirePrograms } from './requires.ts'

interface Said {
  readonly status: number
  readonly type: string | undefined
  readonly text: string
}

function ask(port: number, path: string, host = `localhost:${port}`): Promise<Said> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent: false, headers: { host } }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (more: string) => {
        text += more
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'], text }),
      )
    }).on('error', reject)
  })
}

describe('the listener for operations', () => {
  let port: number
  let server: Harness
  beforeAll(async () => {
    port = await freePort()
    server = await startServer((settings) => ({ ...settings, operations: { port } }))
  })
  afterAll(() => server?.close())

  const figures = async (): Promise<string> => (await ask(port, '/metrics')).text

  it.each(['/livez', '/startupz', '/readyz'])('says at %s that all is well', async (path) => {
    expect((await ask(port, path)).status).toBe(200)
  })

  it('says what it needs to be ready', async () => {
    expect(JSON.parse((await ask(port, '/readyz')).text)).toEqual({ ready: true, stage: 'serving', store: 'there' })
  })

  it('gives figures as Prometheus reads them', async () => {
    const { type, text } = await ask(port, '/metrics')
    expect(type).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m)
  })

  it('makes figures once for all that ask at the same time', async () => {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const asks = ['keep-alive', 'keep-alive', 'keep-alive', 'close'].map(
      (connection) => `GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: ${connection}\r\n\r\n`,
    )
    socket.end(asks.join(''))
    const times = (await text(socket)).match(/^process_cpu_seconds_total .*$/gm)
    expect(times).toHaveLength(4)
    expect(new Set(times).size).toBe(1)
  })

  it('keeps a hundred connections, and drops what comes then', async () => {
    const ends: boolean[] = []
    const opened = await Promise.all(
      Array.from({ length: 120 }, async () => {
        const socket = connect(port, '127.0.0.1')
        socket.on('error', () => {}).on('close', () => ends.push(true))
        await new Promise((resolve) => socket.once('connect', resolve))
        return socket
      }),
    )
    onTestFinished(() => opened.forEach((each) => void each.destroy()))
    await expect.poll(() => ends.length).toBe(20)
    for (const each of opened) each.destroy()
    await expect
      .poll(
        async () =>
          await ask(port, '/livez').then(
            ({ status }) => status,
            () => 0,
          ),
      )
      .toBe(200)
  })

  it('counts tokens by what binds them', async () => {
    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const now = Math.floor(Date.now() / 1000)
    const dpop = signProof(createTestProofKey(), { method: 'POST', url: `${server.issuer}/token`, now })
    await server.token()
    await server.token({}, { certificate })
    await server.token({ client_id: 'reference' }, { headers: { dpop } })
    const text = await figures()
    expect(text).toContain('holdfast_tokens_total{binding="none",format="jwt"} 1')
    expect(text).toContain('holdfast_tokens_total{binding="certificate",format="jwt"} 1')
    expect(text).toContain('holdfast_tokens_total{binding="dpop",format="reference"} 1')
  })

  it('counts refusals by their reason', async () => {
    await server.token({ client_secret: 'wrong' })
    expect(await figures()).toContain('holdfast_refusals_total{reason="client_secret_wrong"} 1')
  })

  it('counts requests by path, method and status, and puts what it does not know together', async () => {
    for (let index = 0; index < 20; index++) {
      await server.send({ on: 'public', method: 'GET', path: `/none/${index}`, headers: {} })
    }
    const text = await figures()
    expect(text).toContain('holdfast_request_seconds_count{path="other",method="GET",status="404"} 20')
    expect(text).toMatch(/holdfast_request_seconds_count\{path="\/token",method="POST",status="200"\} \d+/)
    expect(text).not.toContain('/none/')
  })

  it('measures the store', async () => {
    await server.token({ client_id: 'reference' })
    const text = await figures()
    expect(text).toMatch(/holdfast_store_seconds_count\{verb="issue",outcome="answered"\} [1-9]/)
    expect(text).toContain('holdfast_store_waiting 0')
  })

  it('says when the certificates of the listeners end', async () => {
    const text = await figures()
    for (const listener of ['public', 'mutualTls']) {
      const [, ends] =
        new RegExp(`holdfast_certificate_expiry_seconds\\{listener="${listener}"\\} (\\d+)`).exec(text) ?? []
      expect(Number(ends)).toBeGreaterThan(Date.now() / 1000)
    }
  })

  it('says what runs here, and how many connections are open', async () => {
    const text = await figures()
    expect(text).toMatch(/^holdfast_build_info\{version="\d+\.\d+\.\d+",node="\d+\.\d+\.\d+"\} 1$/m)
    const socket = connect({ host: '127.0.0.1', port: server.publicPort })
    onTestFinished(() => void socket.destroy())
    await expect.poll(figures).toContain('holdfast_connections{listener="public"} 1')
    socket.destroy()
    await expect.poll(figures).toContain('holdfast_connections{listener="public"} 0')
  })

  it('counts a token where it is issued, not where it is asked about', async () => {
    const issued = async () => (await figures()).match(/^holdfast_tokens_total.*/gm)
    const { access_token } = (await server.token({ client_id: 'reference' })).json
    const before = await issued()
    await server.post('/introspect', { client_id: 'api1', client_secret: 'api1-secret', token: access_token })
    expect(await issued()).toEqual(before)
    await server.token()
    expect(await issued()).not.toEqual(before)
  })

  it.each(['localhost', '127.0.0.1:9464', '[::1]:9464', 'LOCALHOST:1'])('answers to the name %s', async (host) => {
    expect((await ask(port, '/livez', host)).status).toBe(200)
  })

  it.each(['evil.test', 'evil.test:9464', 'localhost.evil.test', 'evil.test@localhost', '127.0.0.2'])(
    'does not answer to the name %s, which a page in a browser could have made to lead here',
    async (host) => {
      expect((await ask(port, '/metrics', host)).status).toBe(421)
    },
  )

  it('answers nothing else, and GET only', async () => {
    expect((await ask(port, '/token')).status).toBe(404)
    expect((await ask(port, '/metrics?x')).status).toBe(404)
  })

  it('shows no token, secret or client', async () => {
    const { access_token } = (await server.token()).json
    await server.token({ client_id: 'nobody-known', client_secret: 'hush-hush' })
    const text = await figures()
    for (const secret of [access_token, 'hush-hush', 'nobody-known']) expect(text).not.toContain(secret)
  })
})

describe('the listener for operations on other addresses than loopback', () => {
  it('answers to every name: nobody knows how it is reached', async () => {
    const port = await freePort()
    const server = await startServer((settings) => ({ ...settings, operations: { port, host: '0.0.0.0' } }))
    onTestFinished(() => server.close())
    expect((await ask(port, '/livez', '10.1.2.3:9464')).status).toBe(200)
  })
})

describe('without operations in the settings', () => {
  it('there is no such listener', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    expect((await server.send({ on: 'public', method: 'GET', path: '/metrics', headers: {} })).status).toBe(404)
  })
})

requirePrograms('postgres')('readiness, while the database is away', () => {
  it('is 503, and the process is alive all the same', async () => {
    const postgres = await startPostgres()
    onTestFinished(() => postgres.stop())
    const url = await postgres.createDatabase()
    const port = await freePort()
    const server = await startServer((settings) => ({
      ...settings,
      operations: { port },
      store: { postgres: url },
      keys: { encryptionKey: 'holdfast.key' },
    }))
    onTestFinished(() => server.close())
    expect((await ask(port, '/readyz')).status).toBe(200)
    await postgres.kill()
    const { status, text } = await ask(port, '/readyz')
    expect([status, JSON.parse(text)]).toEqual([503, { ready: false, stage: 'serving', store: 'away' }])
    expect((await ask(port, '/livez')).status).toBe(200)
    expect((await ask(port, '/metrics')).text).toContain(
      'holdfast_events_total{event="store_unreachable",level="warn"} ',
    )
    await postgres.restart()
    expect((await ask(port, '/readyz')).status).toBe(200)
  })
})

requirePrograms('redis-server', 'redis-cli')('readiness, and the memory of used proofs', () => {
  const startWith = async (address: string) => {
    const port = await freePort()
    const server = await startServer((settings) => ({
      ...settings,
      operations: { port },
      replay: { redis: [address] },
    }))
    onTestFinished(() => server.close())
    return async () => {
      const { status, text } = await ask(port, '/readyz')
      return [status, JSON.parse(text)]
    }
  }

  it('is 503 until it was there once', async () => {
    const readiness = await startWith(`redis://127.0.0.1:${await freePort()}`)
    expect(await readiness()).toEqual([503, { ready: false, stage: 'serving', store: 'there', replay: 'away' }])
  })

  it('stays 200 when it goes away: requests without a proof go on at all nodes', { timeout: 60_000 }, async () => {
    const redis = await startRedis('--maxmemory-policy', 'noeviction')
    onTestFinished(() => redis.stop())
    const readiness = await startWith(redis.url)
    await expect.poll(async () => (await readiness())[0], { timeout: 30_000 }).toBe(200)
    await redis.kill()
    expect(await readiness()).toEqual([200, { ready: true, stage: 'serving', store: 'there', replay: 'away' }])
  })
})
