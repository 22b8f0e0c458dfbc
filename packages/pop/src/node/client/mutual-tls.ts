import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import { Agent, buildConnector } from 'undici'
import { ClientError } from '../../client/client-error.ts'
import type { Fetch } from '../../client/context.ts'
import type { Seconds } from '../../foundation/clock.ts'
import type { CertificatePair } from '../certificates/make.ts'
import { connectionError } from './connection-error.ts'

/** A certificate and its key, as PEM; the client's own certificate first, then those that lead to its authority. */
export type KeyPair = Pick<CertificatePair, 'certificate' | 'key'>

/** What a connection shows, and whom it trusts. */
export interface MutualTlsOptions {
  readonly certificate?: KeyPair | undefined
  /** PEM of the authorities that server certificates must come from, in place of the platform's own. */
  readonly ca?: string | readonly string[] | undefined
}

/** How long open requests may take to end when it is closed. */
const patience: Seconds = 10

/**
 * A `fetch` of one identity: all its connections show this certificate, and nobody else uses them.
 *
 * TLS sessions are never resumed, since a resumed one would bring the identity that it began with. When a connection is
 * lost, the next request uses a fresh one. Redirects are given back, not followed: they would show the certificate to
 * another origin. There is no way to switch the check of the server's certificate off.
 */
export class MutualTls {
  readonly #hasCertificate: boolean
  readonly #context: SecureContext
  readonly #open = new Set<Agent>()
  /** The origins that have taken this identity's connections. */
  readonly #answered = new Set<string>()
  #agent: Agent

  /** @throws {@link ClientError} `certificate_unusable`, `trust_malformed` */
  constructor({ certificate, ca }: MutualTlsOptions) {
    this.#hasCertificate = certificate !== undefined
    this.#context = secureContext(certificate, ca)
    this.#agent = this.#begin()
  }

  /** @throws {@link ClientError} those of {@link connectionError} */
  readonly fetch: Fetch = async (input, init) => {
    const agent = this.#agent
    const { origin } = new URL(input instanceof Request ? input.url : input)
    try {
      const response = await fetch(input, withDispatcher(init, agent))
      this.#answered.add(origin)
      return response
    } catch (thrown) {
      const hasAnswered = this.#answered.has(origin)
      const error = connectionError(thrown, { origin, hasCertificate: this.#hasCertificate, hasAnswered })
      const isLost = error instanceof ClientError && error.reason === 'connection_lost'
      if (isLost && this.#agent === agent) this.#replace(agent)
      throw error
    }
  }

  /** Lets open requests end, ten seconds at most, then closes every connection. */
  async close(): Promise<void> {
    const agents = [...this.#open]
    const overdue = setTimeout(() => {
      for (const agent of agents) void agent.destroy().catch(() => undefined)
    }, patience * 1000)
    await Promise.allSettled(agents.map((agent) => agent.close()))
    clearTimeout(overdue)
  }

  #replace(agent: Agent): void {
    this.#agent = this.#begin()
    void agent.close().then(
      () => this.#open.delete(agent),
      () => this.#open.delete(agent),
    )
  }

  #begin(): Agent {
    const connect = buildConnector({
      secureContext: this.#context,
      rejectUnauthorized: true,
      maxCachedSessions: 0,
      allowH2: false,
    })
    const agent = new Agent({ connections: 16, connect })
    this.#open.add(agent)
    return agent
  }
}

function secureContext(certificate: KeyPair | undefined, ca: MutualTlsOptions['ca']): SecureContext {
  const authorities = ca === undefined ? undefined : [ca].flat()
  if (authorities && (authorities.length === 0 || !authorities.every(isCertificate))) {
    throw new ClientError('trust_malformed')
  }
  try {
    return createSecureContext({
      minVersion: 'TLSv1.2',
      ...(authorities && { ca: authorities }),
      ...(certificate && { cert: certificate.certificate, key: certificate.key }),
    })
  } catch (cause) {
    throw new ClientError('certificate_unusable', { cause })
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0
  } catch {
    return false
  }
}

/** Node's own `fetch` takes undici's dispatcher; the types of the web do not know it. */
function withDispatcher(init: RequestInit | undefined, dispatcher: Agent): RequestInit {
  const own: object = { ...init, redirect: 'manual', dispatcher }
  return own as RequestInit
}
