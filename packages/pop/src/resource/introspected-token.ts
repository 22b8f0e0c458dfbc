import { createBoundedCache } from '../foundation/bounded-cache.ts'
import type { Seconds } from '../foundation/clock.ts'
import { postForm } from '../foundation/get-json.ts'
import type { JsonObject } from '../foundation/json.ts'
import { Refused } from '../oauth/refusal.ts'
import { type AccessToken, parseAccessToken, type TokenReader } from './access-token.ts'
import type { IssuerAccess, IssuerMetadata } from './issuer-metadata.ts'

/** How the API asks the issuer about a token. RFC 7662 §2.1. */
export interface IntrospectionOptions {
  readonly client_id: string
  /** Left out where the API authenticates with a client certificate: then `fetch` must present it, and the mTLS alias is asked. */
  readonly client_secret?: string
  /** Discovered when left out. */
  readonly endpoint?: string
  /**
   * How long an answer is used again: so long a revoked token may still work. 0 asks every time. 10 when left out.
   * Expiry, audience, binding and scope are judged on every request all the same.
   */
  readonly cache?: Seconds
}

const token68 = /^[A-Za-z0-9._~+/-]+=*$/
const remembered = 4096
const mostAtOnce = 256

/**
 * Creates a reader of reference tokens, which asks the issuer. RFC 7662.
 *
 * Who waits for the same token shares one question. Its `read` refuses with `token_inactive`, `token_type_wrong`,
 * `introspection_unavailable`, and what {@link parseAccessToken} refuses.
 */
export function createIntrospectionReader(
  options: IntrospectionOptions,
  { metadata, fetch, now, failed }: IssuerAccess,
): TokenReader {
  const { cache = 10, client_secret } = options
  const known = createBoundedCache<{ readonly token: AccessToken; readonly asked: Seconds }>(remembered)
  const pending = new Map<string, Promise<AccessToken>>()
  const parameters = client_secret === undefined ? { client_id: options.client_id } : {}
  const headers = client_secret === undefined ? {} : { authorization: basic(options.client_id, client_secret) }
  let endpoint = options.endpoint

  async function ask(token: string): Promise<JsonObject> {
    try {
      endpoint ??= await discover(metadata, client_secret === undefined)
      return await postForm(endpoint, { ...parameters, token, token_type_hint: 'access_token' }, headers, { fetch })
    } catch (cause) {
      failed(cause)
      throw new Refused('introspection_unavailable', { retryAfter: 5, cause })
    }
  }

  async function introspect(text: string): Promise<AccessToken> {
    if (!token68.test(text)) throw new Refused('token_malformed')
    if (pending.size >= mostAtOnce) throw new Refused('introspection_unavailable', { retryAfter: 1 })
    const asked = now()
    const token = parseIntrospection(await ask(text))
    if (cache > 0) known.put(text, { token, asked })
    return token
  }

  function share(text: string): Promise<AccessToken> {
    const shared = pending.get(text)
    if (shared !== undefined) return shared
    const question = introspect(text).finally(() => pending.delete(text))
    pending.set(text, question)
    return question
  }

  return {
    read(text) {
      const before = known.find(text)
      return before && Math.abs(now() - before.asked) < cache ? before.token : share(text)
    },
  }
}

function parseIntrospection(answer: JsonObject): AccessToken {
  if (answer.active !== true) throw new Refused('token_inactive')
  const type = answer.token_type
  if (type !== undefined && !(typeof type === 'string' && /^(bearer|dpop)$/i.test(type))) {
    throw new Refused('token_type_wrong', { expected: 'Bearer or DPoP', seen: String(type).slice(0, 40) })
  }
  const token = parseAccessToken(answer, 'reference')
  if (type !== undefined && /^dpop$/i.test(type) && token.confirmation?.jkt === undefined) {
    throw new Refused('token_type_wrong', { expected: 'DPoP with cnf.jkt', seen: type })
  }
  return token
}

async function discover(metadata: IssuerMetadata, certificate: boolean): Promise<string> {
  const { introspection_endpoint, introspection_endpoint_alias } = await metadata.load()
  const found = certificate ? (introspection_endpoint_alias ?? introspection_endpoint) : introspection_endpoint
  if (found === undefined) throw new Error('the metadata of the issuer has no introspection_endpoint')
  return found
}

/** RFC 6749 §2.3.1: both are form-encoded before they are joined. */
function basic(clientId: string, secret: string): string {
  const encode = (value: string): string => new URLSearchParams([['', value]]).toString().slice(1)
  return `Basic ${btoa(`${encode(clientId)}:${encode(secret)}`)}`
}
