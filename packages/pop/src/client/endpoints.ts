import type { Clock, Seconds } from '../foundation/clock.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { ServerMetadata } from '../oauth/metadata.ts'
import type { ClientAuthentication, Credentials } from './authentication.ts'
import { ClientError, shorten } from './client-error.ts'
import type { ClientContext } from './context.ts'
import { createDiscovery, type Endpoint, endpointUrl } from './discovery.ts'
import { exchange, onceMore, type Reply } from './exchange.ts'
import type { Prover } from './prover.ts'

/** The parameters of a request, in order; `resource` may stand there more than once. RFC 8707 §2. */
export type Form = readonly (readonly [name: string, value: string])[]

/** What an endpoint answered, and the metadata that led there. */
export interface Answer {
  readonly json: JsonObject | undefined
  readonly metadata: ServerMetadata
}

/** The way to the authorization server's endpoints. */
export interface Endpoints {
  /**
   * Posts an authenticated form.
   * @param repeat `never`: what may have been carried out is not sent again; `when-lost` when left out
   */
  readonly post: (endpoint: Endpoint, form: Form, repeat?: 'never' | 'when-lost') => Promise<Answer>
  readonly metadata: () => Promise<ServerMetadata>
  /** Where an endpoint is, for this client. @throws {@link ClientError} `endpoint_missing` */
  readonly address: (endpoint: Endpoint) => Promise<string>
}

/** Who asks, whom, and for how long. */
export interface EndpointsOptions {
  readonly issuer: string
  readonly client_id: string
  readonly authentication: ClientAuthentication
  readonly hasCertificate: boolean
  /** Proves the key that tokens are bound to, where one is. */
  readonly prover?: Prover | undefined
  readonly timeout: Seconds
}

/** How often a server that asks for patience is asked again. */
const patience = 2

/**
 * Creates the way to the authorization server's endpoints: discovery, authentication, proofs, and waiting where the server
 * asks for it. The deadline covers all of that.
 *
 * @throws {@link ClientError} `request_refused`, `server_unavailable`, and those of discovery and exchange
 */
export function createEndpoints(options: EndpointsOptions, context: ClientContext): Endpoints {
  const { issuer, client_id, authentication, hasCertificate, prover, timeout } = options
  const discovery = createDiscovery(issuer, context)
  const post: Endpoints['post'] = async (endpoint, form, repeat = 'when-lost') => {
    const deadline = context.now() + timeout
    const signal = AbortSignal.timeout(timeout * 1000)
    const metadata = await discovery(signal)
    const url = endpointUrl(metadata, endpoint, hasCertificate)
    const proving = provenEndpoints.has(endpoint) ? prover : undefined
    const ask = async (isLast = false): Promise<Reply | ClientError> => {
      // Anew for each attempt: an assertion may have been used up by one whose answer was lost.
      const credentials = await authentication({ client_id, metadata, context })
      const proven = await proving?.prove({ method: 'POST', url })
      const reply = await exchange(url, { ...requestOf(form, credentials, proven?.proof), signal }, context)
      const isProvable = proven?.learn(reply.headers, shorten(reply.json?.error)) === true
      if (reply.status === successOf(endpoint)) return reply
      // Whoever refuses a proof has carried nothing out. RFC 9449 §8.
      if (isProvable && !isLast) return await ask(true)
      return refusal(reply, secretsOf(form, credentials), context.now)
    }
    for (let attempt = 0; ; attempt++) {
      const answer = await (repeat === 'never' ? ask() : onceMore(() => ask()))
      if (!(answer instanceof ClientError)) return { json: answer.json, metadata }
      const { retryAfter } = answer
      if (
        repeat === 'never' ||
        retryAfter === undefined ||
        attempt === patience ||
        context.now() + retryAfter >= deadline
      )
        throw answer
      await context.wait(retryAfter)
    }
  }
  const metadata: Endpoints['metadata'] = () => discovery(AbortSignal.timeout(timeout * 1000))
  return { post, metadata, address: async (endpoint) => endpointUrl(await metadata(), endpoint, hasCertificate) }
}

/** Where tokens and codes are bound. RFC 9449 §5, §10.1. */
const provenEndpoints: ReadonlySet<Endpoint> = new Set(['token_endpoint', 'pushed_authorization_request_endpoint'])

/** RFC 9126 §2.2. */
function successOf(endpoint: Endpoint): number {
  return endpoint === 'pushed_authorization_request_endpoint' ? 201 : 200
}

function requestOf(form: Form, { authorization, form: own = {} }: Credentials, proof?: string): RequestInit {
  const headers: Record<string, string> = {
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
  }
  if (authorization !== undefined) headers.authorization = authorization
  if (proof !== undefined) headers.dpop = proof
  const asked = form.filter(([name]) => !Object.hasOwn(own, name))
  const parameters = [...asked, ...Object.entries(own)].map(([name, value]) => [name, value])
  return { method: 'POST', headers, body: new URLSearchParams(parameters).toString() }
}

function refusal({ status, headers, json }: Reply, secrets: readonly string[], now: Clock): ClientError {
  const error = shorten(json?.error, secrets)
  const description = shorten(json?.error_description, secrets)
  const said = [status, error, description].filter((part) => part !== undefined).join(' ')
  const isBusy = status === 503 || status === 429
  return new ClientError(status >= 500 || isBusy ? 'server_unavailable' : 'request_refused', {
    status,
    error,
    detail: [`It said: ${said.replace(/\.$/, '')}.`, clockNote(headers, now)].filter(Boolean).join(' '),
    retryAfter: isBusy ? retryAfter(headers, now) : undefined,
  })
}

const confidential: readonly string[] = ['token', 'refresh_token', 'code', 'code_verifier']

function secretsOf(form: Form, { secrets = [] }: Credentials): readonly string[] {
  const own = form.filter(([name]) => confidential.includes(name)).map(([, value]) => value)
  return [...secrets, ...own].filter((secret) => secret !== '')
}

/** Seconds or a date. RFC 9110 §10.2.3. */
function retryAfter(headers: Headers, now: Clock): Seconds | undefined {
  const value = headers.get('retry-after') ?? ''
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil(date / 1000) - now())
}

/** A wrong clock is the usual cause of refused assertions and of certificates that are not valid yet. */
function clockNote(headers: Headers, now: Clock): string | undefined {
  const ahead = now() - Math.floor(Date.parse(headers.get('date') ?? '') / 1000)
  if (!(Math.abs(ahead) > 60)) return undefined
  return `This machine's clock is ${Math.abs(ahead)} s ${ahead > 0 ? 'ahead of' : 'behind'} the server's.`
}
