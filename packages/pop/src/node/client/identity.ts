import { X509Certificate } from 'node:crypto'
import type { Client, ClientOptions } from '../../client/client.ts'
import { createClient } from '../../client/client.ts'
import { ClientError } from '../../client/client-error.ts'
import type { ClientContext } from '../../client/context.ts'
import type { CertificateFacts } from '../../foundation/certificate-facts.ts'
import { factsOf } from '../certificates/read.ts'
import { type KeyPair, MutualTls, type MutualTlsOptions } from './mutual-tls.ts'

/**
 * A client as long as it has one certificate: its connections, and the tokens that were bound to it over them.
 *
 * Tokens never leave their identity. When the certificate changes, a new identity begins with neither, and calls that
 * were running end with the old one.
 */
export class Identity {
  readonly certificate: CertificateFacts | undefined
  readonly #client: Client
  readonly #connections: MutualTls
  #running = 0
  #retired: PromiseWithResolvers<void> | undefined

  /** @throws {@link ClientError} `certificate_unusable`, `trust_malformed`, and those of {@link createClient} */
  constructor(options: ClientOptions, { certificate, ca }: MutualTlsOptions, context: Partial<ClientContext>) {
    this.certificate = certificate && readFacts(certificate)
    this.#connections = new MutualTls({ certificate, ca })
    const own = this.certificate && { certificate: { thumbprint: this.certificate.thumbprint } }
    this.#client = createClient({ ...options, ...own }, { ...context, fetch: this.#connections.fetch })
  }

  /** Runs a call with this identity's connections and tokens, which stay open until it ends. */
  async run<T>(call: (client: Client) => Promise<T>): Promise<T> {
    this.#running++
    try {
      return await call(this.#client)
    } finally {
      this.#running--
      if (this.#running === 0) this.#retired?.resolve()
    }
  }

  /** Begins nothing more; closes the connections when the last running call has ended. */
  async retire(): Promise<void> {
    this.#retired ??= Promise.withResolvers<void>()
    if (this.#running === 0) this.#retired.resolve()
    await this.#retired.promise
    await this.#connections.close()
  }
}

function readFacts({ certificate }: KeyPair): CertificateFacts {
  try {
    return factsOf(new X509Certificate(certificate).raw)
  } catch (cause) {
    throw new ClientError('certificate_unusable', { cause })
  }
}
