import { type Inbound, type Parameters, Refused } from '@holdfast/pop'

/** What a request says about who sends it, not believed yet. RFC 6749 §2.3. */
export type Credentials =
  | { readonly kind: 'secret'; readonly clientId: string; readonly secret: string; readonly by: 'basic' | 'post' }
  | { readonly kind: 'assertion'; readonly clientId: string | undefined; readonly assertion: string }
  | { readonly kind: 'identifier'; readonly clientId: string }

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/**
 * Parses the credentials of a request: exactly one of Basic, `client_secret` and `client_assertion`, or the bare
 * `client_id`, which a certificate may accompany. RFC 6749 §2.3, RFC 7521 §4.2, RFC 8705 §2.
 * @throws {@link Refused} `client_authentication_doubled`, `client_id_differs`, `client_id_missing`, `basic_malformed`,
 *   `header_repeated`, `authorization_scheme_unknown`, `assertion_type_missing`, `assertion_type_unknown`
 */
export function parseCredentials({ headers }: Inbound, parameters: Parameters): Credentials {
  const basic = parseBasic(headers.authorization)
  const clientId = parameters.one('client_id')
  const secret = parameters.one('client_secret')
  const assertion = parameters.one('client_assertion')
  const type = parameters.one('client_assertion_type')

  if (Number(basic?.secret !== undefined) + Number(secret !== undefined) + Number(assertion !== undefined) > 1) {
    throw new Refused('client_authentication_doubled')
  }
  if (basic && clientId !== undefined && clientId !== basic.clientId) throw new Refused('client_id_differs')
  if (assertion !== undefined) {
    if (type === undefined) throw new Refused('assertion_type_missing')
    if (type !== assertionType) throw new Refused('assertion_type_unknown')
    return { kind: 'assertion', clientId: basic?.clientId ?? clientId, assertion }
  }
  const id = basic?.clientId ?? clientId
  if (id === undefined) throw new Refused('client_id_missing')
  if (basic?.secret !== undefined) return { kind: 'secret', clientId: id, secret: basic.secret, by: 'basic' }
  if (secret !== undefined) return { kind: 'secret', clientId: id, secret, by: 'post' }
  return { kind: 'identifier', clientId: id }
}

/** The client that a request names, for the log: not believed, and undefined when it cannot be told. */
export function claimedClient({ headers }: Pick<Inbound, 'headers'>, form: Inbound['form']): string | undefined {
  try {
    return parseBasic(headers.authorization)?.clientId ?? form?.find(([name]) => name === 'client_id')?.[1]
  } catch {
    return undefined
  }
}

interface Basic {
  readonly clientId: string
  /** Absent when the password is empty: then Basic only names the client. */
  readonly secret: string | undefined
}

function parseBasic(values: readonly string[] | undefined): Basic | undefined {
  const value = values?.[0]
  if (value === undefined) return undefined
  if (values && values.length > 1) throw new Refused('header_repeated')
  const [, token] = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(value) ?? []
  if (token === undefined) {
    throw new Refused(/^basic( |$)/i.test(value) ? 'basic_malformed' : 'authorization_scheme_unknown')
  }
  const text = decodeUtf8(Buffer.from(token, 'base64'))
  const colon = text.indexOf(':')
  if (colon < 1) throw new Refused('basic_malformed')
  return { clientId: formDecode(text.slice(0, colon)), secret: formDecode(text.slice(colon + 1)) || undefined }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeUtf8(bytes: Buffer): string {
  try {
    return strictUtf8.decode(bytes)
  } catch (cause) {
    throw new Refused('basic_malformed', { cause })
  }
}

function formDecode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch (cause) {
    throw new Refused('basic_malformed', { cause })
  }
}
