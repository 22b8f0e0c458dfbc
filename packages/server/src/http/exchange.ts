import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { TLSSocket } from 'node:tls'
import {
  decodeForm,
  type Inbound,
  isJsonObject,
  type JsonObject,
  type PresentedCertificate,
  parseJsonObject,
  Refused,
} from '@holdfast/pop'
import { readPeerCertificate } from '@holdfast/pop/resource/node'
import type { Outbound } from '../endpoints/endpoint.ts'

/** What a listener knows of every request that it takes. */
export interface Arrival {
  /** The configured origin of the listener. */
  readonly origin: string
  /** It asks for client certificates. */
  readonly asks: boolean
  /** It serves the aliased endpoints and nothing else. */
  readonly aliasesOnly: boolean
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** The request as data. @throws Refused `certificate_chain_too_long`, `host_malformed` */
export function inboundOf(
  request: IncomingMessage,
  { origin, asks }: Arrival,
  body: Pick<Inbound, 'form' | 'json'>,
): Inbound {
  const { method = '', url = '', headersDistinct: headers, socket } = request
  requireHost(headers.host)
  const address = addressOf(socket)
  const certificate: PresentedCertificate | undefined = asks ? readPeerCertificate(socket as TLSSocket) : undefined
  return {
    method,
    url: `${origin}${url}`,
    headers,
    ...body,
    ...(certificate && { certificate }),
    ...(address !== undefined && { address }),
  }
}

/** What the parsers made of a body: pairs of a form, or an object. */
export function bodyOf({ body }: { readonly body: unknown }): Pick<Inbound, 'form' | 'json'> {
  if (Array.isArray(body)) return { form: body }
  return isJsonObject(body) ? { json: body } : {}
}

/** The path as it was written. */
export function pathOf({ url = '' }: Pick<IncomingMessage, 'url'>): string {
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}

/** The headers of an answer as Node takes them: it changes none of the lists. */
export function nodeHeaders(headers: Outbound['headers']): OutgoingHttpHeaders {
  return headers as OutgoingHttpHeaders
}

/**
 * Parses a form strictly: UTF-8, whole percent sequences, no NUL. RFC 6749 appendix B.
 * @throws {@link Refused} `form_malformed`
 */
export function parseForm(body: Buffer): NonNullable<Inbound['form']> {
  return decodeForm(decodeUtf8(body))
}

/** Parses a JSON object strictly: UTF-8, not nested deeply. @returns undefined when it is none */
export function parseJson(body: Buffer): JsonObject | undefined {
  try {
    return parseJsonObject(strictUtf8.decode(body))
  } catch {
    return undefined
  }
}

function decodeUtf8(body: Buffer): string {
  try {
    return strictUtf8.decode(body)
  } catch (cause) {
    throw new Refused('form_malformed', { cause })
  }
}

/** Exactly one, a name or an address with a port or none. RFC 9112 §3.2. */
function requireHost(values: readonly string[] | undefined): void {
  const [host] = values ?? []
  if (host === undefined || values?.length !== 1 || !/^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/.test(host))
    throw new Refused('host_malformed')
}

/** Whom a connection comes from: an IPv4 address is written as one, whatever the socket listens on. RFC 4291 §2.5.5.2. */
export function addressOf({ remoteAddress }: { readonly remoteAddress?: string | undefined }): string | undefined {
  return remoteAddress?.replace(/^::ffff:(?=[\d.]+$)/i, '')
}
