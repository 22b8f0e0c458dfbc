import { isKeyFor, isSignatureAlgorithm, parsePublicJwk } from '@holdfast/pop'
import { isSubjectValue, registeredCertificate } from '@holdfast/pop/certificates'
import { z } from 'zod'
import { isRedirectUri } from './redirect-uri.ts'
import { signingAlgorithms } from './signing-key.ts'
import { isWebOrigin } from './web-origin.ts'

/** The ways in which a client can authenticate. RFC 6749 §2.3, RFC 7523, RFC 8705 §2. */
export const clientAuthenticationMethods = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'none',
] as const

/** The registered values of which a `tls_client_auth` client has exactly one. RFC 8705 §2.1.2. */
export const certificateSubjects = [
  'tls_client_auth_subject_dn',
  'tls_client_auth_san_dns',
  'tls_client_auth_san_uri',
  'tls_client_auth_san_ip',
  'tls_client_auth_san_email',
] as const

/** The grants that a client can be registered for. RFC 6749, RFC 8628, RFC 8693. */
const grantTypes = [
  'client_credentials',
  'authorization_code',
  'refresh_token',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:token-exchange',
] as const

const text = z.string().min(1).max(2048)

const jwk = z
  .looseObject({ kty: z.string() })
  .refine((key) => parsePublicJwk(key) !== undefined || 'x5c' in key, 'is not a public key that is accepted')
  .refine((key) => !['d', 'k', 'priv'].some((member) => member in key), 'is not a public key')

const clientIdForm = /^[\x21-\x39\x3b-\x7e]{1,256}$/

/** Says whether there may be a client of that name: databases need not be asked for others, and some cannot be. */
export function isClientId(text: string): boolean {
  return clientIdForm.test(text)
}

/**
 * A registered client: RFC 7591 names where there are any, and ours. Strict: an unknown member refuses.
 * Members that belong together are checked together.
 */
export const clientSchema = z
  .strictObject({
    client_id: z
      .string()
      .regex(clientIdForm, 'must be 1 to 256 printable characters without space or colon')
      .describe('The name by which the client is known.'),
    client_name: z.string().min(1).max(256).optional().describe('A name for people.'),
    token_endpoint_auth_method: z
      .enum(clientAuthenticationMethods)
      .optional()
      .describe('How the client authenticates. Without it a client with a secret may send it by Basic or in the form.'),
    client_secret: text.optional().describe('The secret in clear. Rather use client_secret_hash.'),
    client_secret_hash: z
      .string()
      .regex(
        /^(sha256:[A-Za-z0-9_-]{43}|\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{43})$/,
        'must be sha256:... or $argon2id$...',
      )
      .optional()
      .describe('The hash of the secret: sha256: and its SHA-256 in base64url where it is random, else argon2id.'),
    jwks: z
      .strictObject({ keys: z.array(jwk).min(1).max(20).refine(haveDistinctNames, 'has two keys with the same kid') })
      .optional()
      .describe('Public keys (private_key_jwt), or certificates in x5c (self_signed_tls_client_auth).'),
    jwks_uri: z
      .url({ protocol: /^https$/ })
      .optional()
      .describe('Where the keys are fetched. The host must be in outbound.allow.'),
    token_endpoint_auth_signing_alg: z
      .string()
      .refine(isSignatureAlgorithm, 'is not a signature algorithm that is known')
      .optional()
      .describe('The one algorithm of the client assertions.'),
    tls_client_auth_subject_dn: text.optional().describe('The subject of the certificate, as RFC 4514 writes it.'),
    tls_client_auth_san_dns: text.optional().describe('A DNS name of the certificate.'),
    tls_client_auth_san_uri: text.optional().describe('A URI of the certificate.'),
    tls_client_auth_san_ip: text.optional().describe('An IP address of the certificate.'),
    tls_client_auth_san_email: text.optional().describe('An e-mail address of the certificate.'),
    trust_group: text
      .optional()
      .describe('The group of CAs under mutualTls.trustGroups that may vouch for this tls_client_auth client.'),
    tls_client_certificate_bound_access_tokens: z
      .boolean()
      .default(false)
      .describe('The client gets certificate-bound tokens only, and is refused without a certificate.'),
    dpop_bound_access_tokens: z
      .boolean()
      .default(false)
      .describe('The client gets DPoP-bound tokens only, and is refused without a proof (RFC 9449).'),
    dpop: z
      .enum(['off', 'allowed', 'refresh-tokens'])
      .default('allowed')
      .describe(
        'Whether proofs are taken. refresh-tokens: they bind the refresh tokens of a public client and leave its access tokens alone.',
      ),
    dpop_nonces: z.enum(['off', 'required', 'on-skew']).optional().describe('Goes before dpop.nonces of the server.'),
    grant_types: z
      .array(z.enum(grantTypes))
      .max(10)
      .default(['client_credentials'])
      .describe('The grants that the client may use.'),
    redirect_uris: z
      .array(text)
      .max(20)
      .default([])
      .describe('Where codes may be sent: compared exactly, but for the port of a native loopback one.'),
    application_type: z
      .enum(['web', 'native'])
      .default('web')
      .describe('native: loopback redirects with any port, private-use schemes (RFC 8252).'),
    web_origins: z
      .array(
        text.refine(
          isWebOrigin,
          'must be an origin as browsers send it, such as https://app.example.com: https (http on localhost), lower case, no path, no wildcard',
        ),
      )
      .max(64)
      .default([])
      .describe('The origins whose scripts may call the endpoints as this client (CORS). Compared exactly.'),
    require_pushed_authorization_requests: z.boolean().default(false).describe('Only through PAR (RFC 9126).'),
    require_signed_request_object: z.boolean().default(false).describe('Only with a signed request object (RFC 9101).'),
    request_object_signing_alg: z
      .string()
      .refine(isSignatureAlgorithm, 'is not a signature algorithm that is known')
      .optional()
      .describe('The one algorithm of the request objects.'),
    post_logout_redirect_uris: z.array(text).max(20).default([]).describe('Where a browser may go after signing out.'),
    subject_type: z
      .enum(['public', 'pairwise'])
      .default('public')
      .describe('pairwise: the client sees a subject of its own for each person.'),
    id_token_signed_response_alg: z
      .enum(signingAlgorithms)
      .optional()
      .describe('The signature of ID tokens: that of access tokens when left out.'),
    authorization_details_types: z
      .array(text)
      .max(20)
      .default([])
      .describe('The types of authorization_details that the client may use (RFC 9396).'),
    consent: z
      .enum(['ask', 'skip'])
      .default('ask')
      .describe('skip: for clients of the operator, people are not asked.'),
    refresh_token_lifetime: z.int().min(60).max(31_536_000).default(2_592_000).describe('Seconds from consent.'),
    scope: z.string().max(4096).default('').describe('The scopes that the client may ask for, separated by spaces.'),
    access_token_format: z.enum(['jwt', 'reference']).optional().describe('Goes before the format of the API.'),
    access_token_lifetime: z
      .int()
      .min(1)
      .max(86_400)
      .optional()
      .describe('Seconds; goes before the lifetime of the API.'),
    introspects: z
      .array(text)
      .max(100)
      .default([])
      .describe('The APIs, by identifier, on whose behalf the client may introspect tokens.'),
    registration_access_token_hash: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/, 'must be a SHA-256 in base64url')
      .optional()
      .describe('The hash of the token with which a client that registered itself manages that. Ours to write.'),
    disabled: z.boolean().default(false).describe('A disabled client is refused, and its tokens are inactive.'),
  })
  .superRefine((client, { addIssue }) => {
    for (const [path, message] of contradictions(client)) addIssue({ code: 'custom', path: [path], message })
  })

/** A registered client. */
export type Client = z.output<typeof clientSchema>

/** A client as it is written down: what has a default may be left out. */
export type ClientInput = Written<z.input<typeof clientSchema>>

/** What somebody wrote, a constant too: nothing of it is changed. */
export type Written<Value> = Value extends object ? { readonly [Member in keyof Value]: Written<Value[Member]> } : Value

/** The methods by which a client may authenticate: one, or both secret ones when the registration names none. */
export function methodsOf({
  token_endpoint_auth_method,
  client_secret,
  client_secret_hash,
}: Client): readonly string[] {
  if (token_endpoint_auth_method) return [token_endpoint_auth_method]
  return client_secret || client_secret_hash ? ['client_secret_basic', 'client_secret_post'] : ['none']
}

/** The one registered subject value of a `tls_client_auth` client. RFC 8705 §2.1.2. */
export function subjectOf(
  client: Client,
): { readonly kind: (typeof certificateSubjects)[number]; readonly value: string } | undefined {
  for (const kind of certificateSubjects) {
    const value = client[kind]
    if (value !== undefined) return { kind, value }
  }
  return undefined
}

function haveDistinctNames(keys: readonly { readonly [member: string]: unknown }[]): boolean {
  const names = keys.flatMap(({ kid }) => (kid === undefined ? [] : [kid]))
  return new Set(names).size === names.length
}

function hasRedirectUri({ redirect_uris }: Unchecked): boolean {
  return Array.isArray(redirect_uris) && redirect_uris.length > 0
}

function signsRequests({ request_object_signing_alg, require_signed_request_object }: Unchecked): boolean {
  return request_object_signing_alg !== undefined || require_signed_request_object === true
}

type Unchecked = {
  readonly [Member in keyof Client]?: unknown
} & { readonly jwks?: { readonly keys: readonly { readonly [member: string]: unknown }[] } | undefined }

function contradictions(client: Unchecked): [path: string, message: string][] {
  const found: [string, string][] = []
  const method = client.token_endpoint_auth_method
  const subjects = certificateSubjects.filter((kind) => client[kind] !== undefined)
  const hasSecret = client.client_secret !== undefined || client.client_secret_hash !== undefined
  if (client.client_secret !== undefined && client.client_secret_hash !== undefined)
    found.push(['client_secret', 'stands beside client_secret_hash: give one'])
  if (client.jwks && client.jwks_uri) found.push(['jwks_uri', 'stands beside jwks: give one'])
  if (method === 'tls_client_auth') {
    if (subjects.length !== 1)
      found.push([
        'token_endpoint_auth_method',
        `tls_client_auth needs exactly one of ${certificateSubjects.join(', ')}`,
      ])
    for (const kind of subjects) {
      if (!isSubjectValue(kind, String(client[kind]))) found.push([kind, 'is nothing that a certificate could say'])
    }
    if (client.trust_group === undefined)
      found.push(['trust_group', 'is needed for tls_client_auth: name one of mutualTls.trustGroups'])
  } else {
    if (subjects[0]) found.push([subjects[0], 'is only for token_endpoint_auth_method tls_client_auth'])
    if (client.trust_group !== undefined)
      found.push(['trust_group', 'is only for token_endpoint_auth_method tls_client_auth'])
  }
  if (method === 'self_signed_tls_client_auth') {
    if (!client.jwks && !client.jwks_uri)
      found.push(['jwks', 'is needed for self_signed_tls_client_auth, with the certificate in x5c'])
    if (client.jwks?.keys.some((key) => !Array.isArray(key.x5c)))
      found.push(['jwks', 'needs x5c in every key for self_signed_tls_client_auth'])
    else if (client.jwks?.keys.some((key) => !registeredCertificate(key)))
      found.push(['jwks', 'has a key that does not agree with the certificate in its x5c'])
  } else if (method === 'private_key_jwt') {
    if (!client.jwks && !client.jwks_uri) found.push(['jwks', 'is needed for private_key_jwt'])
    const algorithm = client.token_endpoint_auth_signing_alg
    const keys = client.jwks?.keys.map((key) => parsePublicJwk(key)) ?? []
    if (keys.some((key) => !key)) found.push(['jwks', 'has a key that is not an accepted public key'])
    if (isSignatureAlgorithm(algorithm) && keys.length > 0 && !keys.some((key) => key && isKeyFor(algorithm, key)))
      found.push(['token_endpoint_auth_signing_alg', 'fits none of the keys in jwks'])
  } else if ((client.jwks || client.jwks_uri) && !signsRequests(client)) {
    found.push([
      client.jwks ? 'jwks' : 'jwks_uri',
      'is only for private_key_jwt, self_signed_tls_client_auth and request objects (request_object_signing_alg)',
    ])
  }
  if (signsRequests(client) && !client.jwks && !client.jwks_uri)
    found.push(['jwks', 'is needed for signed request objects'])
  if (method !== 'private_key_jwt' && client.token_endpoint_auth_signing_alg !== undefined)
    found.push(['token_endpoint_auth_signing_alg', 'is only for private_key_jwt'])
  if (method === undefined || method === 'client_secret_basic' || method === 'client_secret_post') {
    if (!hasSecret)
      found.push([
        'client_secret_hash',
        `is needed for ${String(method ?? 'a client without token_endpoint_auth_method')}: or write token_endpoint_auth_method: none`,
      ])
  } else if (hasSecret) found.push(['client_secret', `is not for token_endpoint_auth_method ${String(method)}`])
  const type = client.application_type === 'native' ? 'native' : 'web'
  for (const member of ['redirect_uris', 'post_logout_redirect_uris'] as const) {
    const uris = Array.isArray(client[member]) ? client[member].map(String) : []
    const bad = uris.find((uri) => !isRedirectUri(uri, type))
    if (bad !== undefined) found.push([member, `has "${bad}", where no ${type} application can be reached safely`])
  }
  if (client.dpop_bound_access_tokens === true && client.dpop !== 'allowed')
    found.push(['dpop_bound_access_tokens', `contradicts dpop: ${String(client.dpop)}: leave one of them out`])
  if (client.dpop === 'refresh-tokens' && method !== 'none')
    found.push(['dpop', 'refresh-tokens is for public clients: those of others are protected by their authentication'])
  if (Array.isArray(client.grant_types) && client.grant_types.includes('authorization_code') && !hasRedirectUri(client))
    found.push(['redirect_uris', 'is needed for authorization_code'])
  return found
}
