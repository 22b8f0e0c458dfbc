import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Admitted } from '@holdfast/pop/resource'
import { createGuard, protect } from '@holdfast/pop/resource/node'
import { isPreflight, renderPreflight, renderSharing } from '../http/cors.ts'
import { nodeHeaders } from '../http/exchange.ts'
import { createListener, type Listening } from '../http/listeners.ts'
import type { KeptPair } from './pair.ts'
import { apiCredentials } from './seed.ts'

/** What the sample API is told. */
export interface SampleApiOptions {
  readonly issuer: string
  /** Where it is reached, and the identifier that stands in `aud`. */
  readonly identifier: string
  /** The origin whose scripts may call it. */
  readonly web: string
  /** It asks for a nonce in every DPoP proof. */
  readonly nonces: boolean
  readonly server: KeptPair
  /** A fetch that trusts the CA of the issuer's certificate. */
  readonly fetch: typeof fetch
}

/**
 * The API that shows what a guard does: it takes bound tokens only, JWT and reference ones, and answers
 * `GET /identity` with the verdict and the claims of the token.
 */
export function createSampleApi({ issuer, identifier, web, nonces, server, fetch }: SampleApiOptions): Listening {
  const guard = createGuard(
    {
      issuer,
      identifier,
      binding: 'required',
      introspection: { ...apiCredentials, cache: 0 },
      scopes: ['api1'],
      dpop: { nonces: nonces ? 'required' : 'off' },
    },
    { fetch },
  )
  const listener = { port: Number(new URL(identifier).port), host: 'localhost', origin: identifier }
  const guarded = protect<IncomingMessage, ServerResponse>(guard, answer)
  let draining = false
  return createListener(
    { ...listener, certificate: server.certificate, key: server.key },
    { origin: identifier, asks: true, aliasesOnly: false },
    {
      route(request, response) {
        if (draining) response.setHeader('connection', 'close')
        const { origin } = request.headers
        const sharing = origin === undefined ? {} : renderSharing(origin, origin === web)
        const preflight = isPreflight(request) && renderPreflight(sharing, 'GET, HEAD')
        if (preflight) return response.writeHead(preflight.status, nodeHeaders(preflight.headers)).end()
        for (const [name, value] of Object.entries(sharing)) response.setHeader(name, value)
        guarded(request, response)
      },
      report() {},
      onDrain() {
        draining = true
      },
    },
  )
}

function answer(request: IncomingMessage, response: ServerResponse, verdict: Admitted): void {
  const { status, body } = contentOf(request, verdict)
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', allow: 'GET, HEAD' })
  response.end(`${JSON.stringify(body, null, 2)}\n`)
}

function contentOf({ method, url }: IncomingMessage, { admitted, checks, possession, token }: Admitted) {
  if (url !== '/identity') return { status: 404, body: { error: 'not_found', hint: 'There is GET /identity.' } }
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: { error: 'method_not_allowed' } }
  return { status: 200, body: { verdict: { admitted, possession, checks: passedOf(checks) }, claims: token.claims } }
}

function passedOf(checks: Admitted['checks']): Readonly<Record<string, boolean>> {
  return Object.fromEntries(checks.map(({ name, passed }) => [name, passed]))
}
