import { constants, createPrivateKey, randomUUID, sign } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type CertificatePair, createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import {
  type AuthorizationServer,
  createAuthorizationServer,
  type Report,
  type ServerOptions,
  type SettingsInput,
} from 'holdfast'

/** An authorization server on real TLS sockets and free ports, with everything that it reported. */
export interface Harness {
  readonly server: AuthorizationServer
  readonly settings: SettingsInput
  readonly issuer: string
  readonly publicPort: number
  readonly mutualTlsPort: number
  /** PEM of the CA of the server's certificate. */
  readonly ca: string
  /** Where settings and database lie. */
  readonly directory: string
  readonly reports: Report[]
  /** What it told of requests that it did not decline. */
  readonly answered: Report[]
  /** Moves the server's clock, in seconds; the sum of all moves counts. */
  advance(seconds: number): void
  /** Stops the server's clock for good, and says at which second: `advance` still moves it. */
  freeze(): number
  /** Closes the server and starts another on the same database, settings and ports. */
  restart(changes?: Partial<SettingsInput>): Promise<void>
  send(request: Sent): Promise<Answer>
  /** Posts a form. */
  post(path: string, form: Form, sent?: Partial<Sent>): Promise<Answer>
  /** Asks for a token as client `client`, with what differs from the valid request. */
  token(form?: Form, sent?: Partial<Sent>): Promise<Answer>
  close(): Promise<void>
}

/** Parameters in order; a record where none is repeated, undefined values left out. */
export type Form = Readonly<Record<string, string | undefined>> | readonly (readonly [string, string])[]

/** A request over TLS. */
export interface Sent {
  /** A listener of the server, or the port of another one on localhost that has the server's certificate. */
  readonly on: 'public' | 'mutualTls' | number
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Buffer
  /** The client's certificate, for the mTLS listener. */
  readonly certificate?: Pick<CertificatePair, 'certificate' | 'key'>
  /** The loopback address from which it comes. */
  readonly from?: string
  /** What is particular about its TLS and its connection. */
  readonly tls?: RequestOptions
}

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The body as JSON, an empty object when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers
  readonly json: any
}

/** The API that the harness's tokens are for. */
export const api = 'https://api.test'

/** The clients that each harness has, each with the least that it needs. */
export const baseClients = [
  { client_id: 'client', client_secret: 'secret', scope: 'api1' },
  { client_id: 'reference', client_secret: 'secret', scope: 'api1', access_token_format: 'reference' },
  { client_id: 'bound', client_secret: 'secret', scope: 'api1', tls_client_certificate_bound_access_tokens: true },
  { client_id: 'public', token_endpoint_auth_method: 'none', scope: 'api1' },
  { client_id: 'other', client_secret: 'other-secret', scope: 'api1' },
  { client_id: 'disabled', client_secret: 'secret', scope: 'api1', disabled: true },
  { client_id: 'api1', client_secret: 'api1-secret', grant_types: [], introspects: [api] },
] as const satisfies SettingsInput['clients']

/**
 * Starts a server. `change` gets the settings of the harness and gives those to use.
 * @param directory with the database of an earlier server; a new one where left out
 * @param options what the application brings
 */
export async function startServer(
  change: (settings: SettingsInput) => SettingsInput = (settings) => settings,
  directory = mkdtempSync(join(tmpdir(), 'holdfast-')),
  options: Pick<ServerOptions, 'signer'> = {},
): Promise<Harness> {
  const authority = await createCertificateAuthority({ name: 'Harness', keyType: 'P-256' })
  const pair = await issueCertificate({
    subject: 'localhost',
    issuer: authority,
    keyType: 'P-256',
    dns: ['localhost'],
    ips: ['127.0.0.1'],
  })
  const [publicPort, mutualTlsPort] = [await freePort(), await freePort()]
  const issuer = `https://localhost:${publicPort}`
  const settings = change({
    issuer,
    listen: {
      public: { port: publicPort, host: '127.0.0.1', certificate: pair.certificate, key: pair.key },
      mutualTls: { port: mutualTlsPort, host: '127.0.0.1' },
    },
    mutualTls: { alwaysEmitConfirmationClaim: true },
    apis: [{ identifier: api, scopes: ['api1'] }],
    clients: [...baseClients],
  })
  const [reports, answered]: [Report[], Report[]] = [[], []]
  let offset = 0
  let frozen: number | undefined
  const start = async (used: SettingsInput, tries = 10): Promise<AuthorizationServer> => {
    const made = await createAuthorizationServer(used, {
      ...options,
      directory,
      report: (each) => (each.event === 'answered' ? answered : reports).push(each),
      now: () => (frozen ?? Math.floor(Date.now() / 1000)) + offset,
    })
    try {
      await made.listen()
      return made
    } catch (error) {
      // Another process probes for a free port at this moment.
      await made.close()
      if (tries === 0 || !(error instanceof Error) || !('code' in error) || error.code !== 'EADDRINUSE') throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
      return await start(used, tries - 1)
    }
  }
  let server = await start(settings)

  const send = ({ on, method, path, headers, body, certificate, from, tls }: Sent): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          servername: 'localhost',
          port: typeof on === 'number' ? on : on === 'public' ? publicPort : mutualTlsPort,
          method,
          path,
          ca: authority.certificate,
          agent: false,
          headers: headers as Record<string, string | string[]>,
          ...(from !== undefined && { localAddress: from }),
          ...tls,
          ...(certificate && { cert: certificate.certificate, key: certificate.key }),
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => (text += chunk))
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parse(text) }),
          )
          response.on('error', reject)
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  const post: Harness['post'] = (path, form, sent = {}) =>
    send({
      on: sent.certificate ? 'mutualTls' : 'public',
      method: 'POST',
      path,
      body: encodeForm(form),
      ...sent,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...sent.headers },
    })

  return {
    get server() {
      return server
    },
    settings,
    issuer: settings.issuer,
    publicPort,
    mutualTlsPort,
    ca: authority.certificate,
    directory,
    reports,
    answered,
    advance(seconds) {
      offset += seconds
    },
    freeze() {
      frozen ??= Math.floor(Date.now() / 1000)
      return frozen + offset
    },
    async restart(changes = {}) {
      await server.close()
      server = await start({ ...settings, ...changes })
    },
    send,
    post,
    token: (form = {}, sent) =>
      post(
        '/token',
        Array.isArray(form)
          ? form
          : { grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret', scope: 'api1', ...form },
        sent,
      ),
    async close() {
      await server.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** The claims of a JWT, unverified. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into claims
export function claimsOf(token: string): any {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}

/** A client assertion for `clientId`, valid but for what is overridden; undefined removes a member. RFC 7523 §3. */
export function assertion(
  key: string,
  clientId: string,
  issuer: string,
  { header = {}, claims = {} }: { header?: object; claims?: object } = {},
): string {
  const now = Math.floor(Date.now() / 1000)
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const input = `${encode({ alg: 'ES256', typ: 'JWT', ...header })}.${encode({ iss: clientId, sub: clientId, aud: issuer, jti: randomUUID(), iat: now, exp: now + 60, ...claims })}`
  return `${input}.${signatureOf(input, key, 'alg' in header ? String(header.alg) : 'ES256')}`
}

/** A signature as JOSE has it: ES*, PS*, RS*, or an algorithm that hashes for itself. RFC 7518 §3. */
export function signatureOf(input: string, key: string, algorithm: string): string {
  const bits = /^[EPR]S(256|384|512)$/.exec(algorithm)?.[1]
  const padding = algorithm.startsWith('PS') && {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: Number(bits) / 8,
  }
  const options = { key: createPrivateKey(key), dsaEncoding: 'ieee-p1363', ...padding } as const
  return sign(bits ? `sha${bits}` : null, Buffer.from(input), options).toString('base64url')
}

/** The type that goes with an assertion. RFC 7523 §2.2. */
export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** An `Authorization` header of the Basic scheme, form-encoded. RFC 6749 §2.3.1. */
export function basic(clientId: string, secret: string): { readonly authorization: string } {
  return {
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`).toString('base64')}`,
  }
}

/** A request that was declined, outside and inside. */
export interface Declined {
  readonly status: number
  /** The OAuth code. */
  readonly error: unknown
  /** What the log says. */
  readonly reason: string | undefined
  readonly answer: Answer
}

/**
 * Waits for an answer that declines, and joins it with the reason that the server reported.
 * @throws Error when the refusal stored something, may be cached, or was reported other than once
 */
export async function declined(server: Harness, asked: Promise<Answer>): Promise<Declined> {
  const [reported, stored] = [server.reports.length, rowsOf(server)]
  const answer = await asked
  const reports = server.reports.slice(reported).filter(({ event }) => event === 'refused')
  if (reports.length !== 1)
    throw new Error(`reported ${reports.length} times, answered ${answer.status} ${answer.text}`)
  if (rowsOf(server) !== stored) throw new Error('a refusal stored something')
  if (answer.headers['cache-control'] !== 'no-store') throw new Error('a refusal may be cached')
  return { status: answer.status, error: answer.json.error, reason: reports[0]?.reason, answer }
}

/** How many things the database holds that requests put there. */
export function rowsOf({ directory }: Pick<Harness, 'directory'>): number {
  const database = new DatabaseSync(join(directory, 'holdfast.db'), { readOnly: true })
  try {
    const tables = [
      'client',
      'reference_token',
      'jwt_revocation',
      'single_use',
      'pushed_request',
      'flow',
      'code',
      'session',
    ]
    const counts = tables.map((table) => database.prepare(`select count(*) as count from ${table}`).get()?.count)
    return counts.reduce<number>((sum, count) => sum + Number(count), 0)
  } finally {
    database.close()
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const port = await anyPort()
  if (given.has(port)) return await freePort()
  given.add(port)
  return port
}

/** The system may lend the same one again as soon as it is let go. */
const given = new Set<number>()

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

/** A form as it goes over the wire. */
export function encodeForm(form: Form): string {
  const entries = Array.isArray(form) ? form : Object.entries(form).filter(([, value]) => value !== undefined)
  return new URLSearchParams(entries as [string, string][]).toString()
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
