import { encodeBase64url } from '../foundation/base64url.ts'
import type { SignatureAlgorithm } from '../foundation/jwk.ts'
import type { Awaitable } from '../foundation/primitives.ts'
import type { ServerMetadata } from '../oauth/metadata.ts'
import { ClientError } from './client-error.ts'
import type { ClientContext } from './context.ts'
import { type SigningKey, signBytes } from './web-crypto.ts'

/** What a request to the authorization server is about to be authenticated with. */
export interface AuthenticationTarget {
  readonly client_id: string
  readonly metadata: ServerMetadata
  readonly context: Pick<ClientContext, 'now' | 'random'>
}

/** What authentication adds to a request. */
export interface Credentials {
  readonly authorization?: string
  readonly form?: Readonly<Record<string, string>>
  /** Must never stand in a message. */
  readonly secrets?: readonly string[]
}

/** One way for a client to say who it is. RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2. */
export type ClientAuthentication = (target: AuthenticationTarget) => Awaitable<Credentials>

/** Sends the secret in the Authorization header, both parts form-encoded first. RFC 6749 §2.3.1. */
export function clientSecretBasic(secret: string): ClientAuthentication {
  return ({ client_id }) => {
    const encoded = btoa(`${formEncode(client_id)}:${formEncode(secret)}`)
    return { authorization: `Basic ${encoded}`, secrets: [secret, formEncode(secret), encoded] }
  }
}

/** Sends the secret in the form. RFC 6749 §2.3.1. */
export function clientSecretPost(secret: string): ClientAuthentication {
  return ({ client_id }) => ({ form: { client_id, client_secret: secret }, secrets: [secret, formEncode(secret)] })
}

/**
 * Sends the secret the way that the server's metadata ask for: in the header, unless only the form is offered.
 * @throws {@link ClientError} `authentication_unsupported`
 */
export function clientSecret(secret: string): ClientAuthentication {
  return (target) => {
    const methods = target.metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
    if (methods.includes('client_secret_basic')) return clientSecretBasic(secret)(target)
    if (methods.includes('client_secret_post')) return clientSecretPost(secret)(target)
    throw new ClientError('authentication_unsupported')
  }
}

/** The key that signs assertions. */
export interface AssertionKey {
  /** A private key: of WebCrypto, of Node, or as a JWK. */
  readonly key: SigningKey
  readonly alg: SignatureAlgorithm
  readonly kid?: string
}

/**
 * Sends an assertion, made anew for each request: one audience, the issuer; good for a minute. RFC 7523 §3.
 * @throws {@link ClientError} `algorithm_unsupported`
 */
export function privateKeyJwt({ key, alg, kid }: AssertionKey): ClientAuthentication {
  return async ({ client_id, metadata, context: { now, random } }) => {
    const iat = now()
    const claims = { iss: client_id, sub: client_id, aud: metadata.issuer, jti: encodeBase64url(random(16)) }
    const header = { alg, ...(kid !== undefined && { kid }) }
    const signed = `${encodeJson(header)}.${encodeJson({ ...claims, iat, exp: iat + 60 })}`
    const signature = await signBytes(alg, key, new TextEncoder().encode(signed))
    const assertion = `${signed}.${encodeBase64url(signature)}`
    const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    return { form: { client_id, client_assertion_type, client_assertion: assertion }, secrets: [assertion] }
  }
}

/** Lets the certificate of the connection speak, issued by an authority that the server trusts. RFC 8705 §2.1. */
export function tlsClientAuth(): ClientAuthentication {
  return none()
}

/** Lets the certificate of the connection speak, registered with the server as it is. RFC 8705 §2.2. */
export function selfSignedTlsClientAuth(): ClientAuthentication {
  return none()
}

/** Names the client and proves nothing: public clients. */
export function none(): ClientAuthentication {
  return ({ client_id }) => ({ form: { client_id } })
}

function encodeJson(value: object): string {
  return encodeBase64url(new TextEncoder().encode(JSON.stringify(value)))
}

function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}
