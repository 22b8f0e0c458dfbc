import type { Client, ClientOptions } from '../../client/client.ts'
import { ClientError } from '../../client/client-error.ts'
import { type ClientContext, webContext } from '../../client/context.ts'
import { createFlights } from '../../client/flights.ts'
import type { CertificateFacts } from '../../foundation/certificate-facts.ts'
import type { Seconds } from '../../foundation/clock.ts'
import type { Awaitable } from '../../foundation/primitives.ts'
import type { ProofKey } from '../../proof/dpop.ts'
import { createClientCertificate } from '../certificates/make.ts'
import { createProofKey } from '../proof-key.ts'
import { Identity } from './identity.ts'
import type { KeyPair, MutualTlsOptions } from './mutual-tls.ts'

/** What a client in Node is and wants. */
export interface NodeClientOptions
  extends Omit<ClientOptions, 'certificate' | 'proofKey'>,
    Pick<MutualTlsOptions, 'ca'> {
  /**
   * The certificate, or what gives one: asked at the first call, and again before the one that it gave ends.
   * When left out the client makes its own on the fly, unless `binding` is `none` or `dpop`. With `dpop` a certificate
   * authenticates only.
   */
  readonly certificate?: KeyPair | (() => Awaitable<KeyPair>)
  /** The key of proofs, or what gives it: asked once. When left out and `binding` is `dpop`, one is made on the fly. */
  readonly proofKey?: ProofKey | (() => Awaitable<ProofKey>)
}

/** A client whose connections show a certificate, to the authorization server and to APIs alike. */
export interface NodeClient extends Client, AsyncDisposable {
  /** The certificate that connections show at present. */
  readonly certificate: () => Promise<CertificateFacts | undefined>
  /**
   * Goes over to another certificate: the next call brings it, and a token that is bound to it. Calls that run end with
   * the old one.
   * @returns when the old connections are closed
   * @throws {@link ClientError} `certificate_unusable`, and then the old one stays; `client_closed`
   */
  readonly useCertificate: (next: KeyPair) => Promise<void>
  /** Lets running calls end, then closes every connection. */
  readonly close: () => Promise<void>
}

/** A certificate that can be replaced is replaced this long before its end, or in the last fifth of a shorter life. */
const margin: Seconds = 86_400

/**
 * Creates a client that proves possession of its certificate's key on every connection. RFC 8705.
 *
 * Nothing is checked, made or sent before the first call. A certificate that was handed over as it is cannot be
 * renewed by the client: past its end every call fails with `certificate_expired`.
 *
 * @example
 * const client = createClient({ issuer: 'https://localhost:5001', client_id: 'client', client_secret: 'secret', scope: 'api1', ca })
 * const response = await client.fetch('https://localhost:5003/identity')
 */
export function createClient(options: NodeClientOptions, context: Partial<ClientContext> = {}): NodeClient {
  const { certificate: given, proofKey: key, ca, ...wanted } = options
  const binding = options.binding ?? (key ? 'dpop' : 'certificate')
  const { now } = { ...webContext(), ...context }
  const flights = createFlights<void>()
  let source =
    given ??
    (binding === 'certificate' ? () => createClientCertificate({ name: options.client_id }, { now }) : undefined)
  let proofKey: ProofKey | undefined
  let present: Identity | undefined
  let closed: Promise<void> | undefined
  const retiring = new Set<Promise<void>>()

  const begin = (certificate: KeyPair | undefined): Identity =>
    new Identity({ ...wanted, binding, proofKey }, { certificate, ca }, context)

  const replace = (next: Identity | undefined): Promise<void> => {
    const old = present
    present = next
    if (!old) return Promise.resolve()
    const retired = old.retire().finally(() => retiring.delete(retired))
    retiring.add(retired)
    return retired
  }

  const renew = async (): Promise<void> => {
    const asked = source
    const certificate = typeof asked === 'function' ? await asked() : asked
    if (binding === 'dpop') proofKey ??= typeof key === 'function' ? await key() : (key ?? (await createProofKey()))
    const next = begin(certificate)
    const isKnown = present && present.certificate?.thumbprint === next.certificate?.thumbprint
    if (closed !== undefined || source !== asked || isKnown) await next.retire()
    else void replace(next)
  }

  /**
   * Leaves an identity in `present` that was not retired, unless the client was closed. While no other certificate can
   * be had, the old one serves to its end.
   */
  const ready = async (): Promise<void> => {
    const isDue = !present || (typeof source === 'function' && isEnding(present.certificate, now()))
    if (!isDue || closed !== undefined) return
    await flights('', renew).catch((cause) => {
      if (!present || isPast(present.certificate, now())) throw cause
    })
    // Another certificate came before there was a key.
    if (!present) await ready()
  }

  const run = async <T>(call: (client: Client) => Promise<T>): Promise<T> => {
    await ready()
    if (!present || closed !== undefined) throw new ClientError('client_closed')
    requireValid(present.certificate, now())
    return await present.run(call)
  }

  const close = (): Promise<void> => {
    closed ??= replace(undefined).then(async () => {
      await Promise.allSettled(retiring)
    })
    return closed
  }

  return {
    fetch: (input, init, request) => run((client) => client.fetch(input, init, request)),
    token: (request) => run((client) => client.token(request)),
    renew: (request) => run((client) => client.renew(request)),
    authorize: (request) => run((client) => client.authorize(request)),
    redeem: (answer, pending, keeping) => run((client) => client.redeem(answer, pending, keeping)),
    userinfo: (session) => run((client) => client.userinfo(session)),
    signOut: (session) => run((client) => client.signOut(session)),
    signOutUrl: (session, next) => run((client) => client.signOutUrl(session, next)),
    revoke: (token) => run((client) => client.revoke(token)),
    introspect: (token) => run((client) => client.introspect(token)),
    certificate: async () => {
      await ready()
      return present?.certificate
    },
    useCertificate: (certificate) => {
      if (closed !== undefined) throw new ClientError('client_closed')
      if (binding === 'dpop' && !proofKey) {
        const judged = new Identity({ ...wanted, binding: 'none' }, { certificate, ca }, context)
        source = certificate
        return judged.retire()
      }
      const next = begin(certificate)
      source = certificate
      return replace(next)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Says whether it is time for another certificate. */
export function isEnding(certificate: CertificateFacts | undefined, now: Seconds): boolean {
  if (!certificate) return false
  const { notBefore, notAfter } = certificate
  return now >= notAfter - Math.min(margin, (notAfter - notBefore) / 5)
}

function isPast(certificate: CertificateFacts | undefined, now: Seconds): certificate is CertificateFacts {
  return certificate !== undefined && now > certificate.notAfter
}

function requireValid(certificate: CertificateFacts | undefined, now: Seconds): void {
  if (!isPast(certificate, now)) return
  const ended = new Date(certificate.notAfter * 1000).toISOString()
  throw new ClientError('certificate_expired', { detail: `It ended at ${ended}.` })
}
