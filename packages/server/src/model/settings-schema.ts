import { type JsonObject, proofAlgorithms, usualProofAlgorithms } from '@holdfast/pop'
import { z } from 'zod'
import { clientSchema } from './client.ts'
import { personSchema } from './person.ts'
import { signingAlgorithms } from './signing-key.ts'

const file = z.string().min(1)
const pem = file.describe('A PEM file, relative to the settings, or the PEM text itself.')
const port = z.int().min(1).max(65_535)

const httpsUrl = z
  .string()
  .refine(
    isIssuer,
    'must be an https address without query, fragment, user or trailing slash, such as https://as.example.com',
  )

const perMinute = z.int().min(1).max(100_000_000)

const lifetime = z.int().min(1).max(86_400)

/** A listener as it is written. */
export const listenerSchema = z.strictObject({
  port: port.describe('The port.'),
  host: z
    .string()
    .min(1)
    .optional()
    .describe('The address to listen on: every one when left out, both loopback addresses for localhost.'),
  origin: httpsUrl.optional().describe('How clients write this listener: https://host or https://host:port.'),
  certificate: pem.optional().describe('The server certificate and its chain.'),
  key: pem.optional().describe('The key of the server certificate.'),
})

/** How access tokens are made: what is left out is inherited. */
export const accessTokensSchema = z.strictObject({
  format: z.enum(['jwt', 'reference']).optional().describe('jwt (RFC 9068) or reference (an opaque handle).'),
  algorithm: z.enum(signingAlgorithms).optional().describe('The signature of JWT access tokens.'),
  lifetime: lifetime.optional().describe('Seconds.'),
})

const sentenceForPeople = z.string().min(1).max(200)

const api = z.strictObject({
  identifier: z
    .string()
    .refine((value) => URL.canParse(value) && !value.includes('#'), 'must be an absolute URI without fragment')
    .describe('The URI of the API: the aud of its tokens, and the resource that clients ask for.'),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'is no scope token'))
    .min(1)
    .describe('The scopes that belong to the API.'),
  scopeDescriptions: z
    .record(z.string(), z.union([sentenceForPeople, z.strictObject({ en: sentenceForPeople, de: sentenceForPeople })]))
    .default({})
    .describe('What a scope allows, as people read it at consent: a sentence, or one in each language.'),
  accessTokens: accessTokensSchema.prefault({}).describe('Goes before the general accessTokens.'),
})

const upstream = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, 'must be 1 to 32 small letters, digits and dashes')
    .describe('A short name for addresses.'),
  name: z.string().min(1).max(60).describe('How people know the provider.'),
  issuer: httpsUrl.describe('Its issuer. Its metadata and keys are fetched there.'),
  client_id: z.string().min(1).describe('What it knows us as. Our redirect URI there is issuer/sign-in/callback.'),
  client_secret: z.string().min(1).describe('What we authenticate with, by client_secret_post.'),
  scope: z.string().default('openid').describe('What is asked for there.'),
})

/** The settings as somebody writes them, and what each means. */
export const settingsSchema = z.strictObject({
  $schema: z.string().optional(),
  issuer: httpsUrl.describe('Who issues: the iss of tokens, and where clients find the metadata.'),
  layout: z
    .enum(['port', 'single'])
    .default('port')
    .describe(
      'port: a second listener asks for client certificates. single: the one listener asks (APIs only, no browsers).',
    ),
  listen: z
    .strictObject({ public: listenerSchema, mutualTls: listenerSchema.optional() })
    .describe('The listeners. mutualTls takes certificate and key from public when it has none.'),
  mutualTls: z
    .strictObject({
      alwaysEmitConfirmationClaim: z
        .boolean()
        .default(false)
        .describe('Bind the token of every client that presents a certificate, whatever its authentication.'),
      trustGroups: z
        .record(
          z.string(),
          z.strictObject({
            ca: pem.describe('The CA certificates of the group.'),
            crl: file
              .optional()
              .describe(
                'A file of revocation lists in PEM, read again when it changes. Without it revocation is not checked.',
              ),
          }),
        )
        .default({})
        .describe('Which CAs may vouch for which tls_client_auth clients.'),
    })
    .prefault({}),
  dpop: z
    .strictObject({
      algorithms: z
        .array(z.enum(proofAlgorithms))
        .min(1)
        .default([...usualProofAlgorithms])
        .describe('The algorithms of proofs. ES384 and ES512 cost this server ten times more than ES256.'),
      nonces: z
        .enum(['off', 'required', 'required-for-public', 'on-skew'])
        .default('off')
        .describe(
          'Who must put a nonce of the server into proofs. on-skew: only clients whose clock is off. A client can have its own dpop_nonces.',
        ),
      proofsPerMinute: z
        .int()
        .min(1)
        .max(100_000_000)
        .default(60_000)
        .describe(
          'So many proofs of one client from one address are judged in a minute; then it is told to wait (429).',
        ),
    })
    .prefault({})
    .describe('Proofs of possession at the application layer (RFC 9449).'),
  accessTokens: accessTokensSchema.prefault({}).describe('What holds for APIs and clients that say nothing else.'),
  apis: z.array(api).min(1).describe('The APIs for which tokens are issued.'),
  clients: z
    .array(clientSchema)
    .default([])
    .describe('Clients that are known from the settings. Others are added by `holdfast client add`.'),
  pushedAuthorizationRequests: z
    .strictObject({
      required: z.boolean().default(false).describe('No client may bring an authorization request by the browser.'),
    })
    .prefault({}),
  registration: z
    .strictObject({
      initialAccessTokens: z
        .array(z.string().regex(/^sha256:[A-Za-z0-9_-]{43}$/, 'must be sha256:... in base64url'))
        .min(1)
        .max(100)
        .describe('The hashes of the tokens that allow a client to register.'),
      scopes: z
        .array(z.string())
        .default([])
        .describe('The scopes of APIs that registered clients may ask for, beside those of OpenID Connect.'),
      trustGroup: z
        .string()
        .optional()
        .describe('The group under mutualTls.trustGroups that vouches for clients registered with tls_client_auth.'),
    })
    .optional()
    .describe('Clients that register themselves (RFC 7591). Left out: there are none.'),
  authorizationDetails: z
    .record(
      z.string().min(1),
      z.strictObject({
        schema: z
          .record(z.string(), z.unknown())
          .refine(isJsonSchema, 'is no JSON Schema that can be used')
          .optional()
          .describe('The JSON Schema of the whole object, type included.'),
      }),
    )
    .default({})
    .describe('The types of authorization_details that clients can be registered for (RFC 9396).'),
  people: z
    .strictObject({
      directory: z
        .array(personSchema)
        .max(10_000)
        .default([])
        .describe('People who can sign in. An application brings its own with createAuthorizationServer.'),
      upstream: z.array(upstream).max(10).default([]).describe('Other OpenID providers at which they can sign in too.'),
    })
    .prefault({}),
  pages: z
    .strictObject({
      name: z.string().min(1).max(60).default('Holdfast').describe('Whose pages these are.'),
      logo: file.optional().describe('A PNG, JPEG, WebP or SVG file of at most 64 KiB, relative to the settings.'),
      accent: z
        .string()
        .regex(/^#[0-9a-fA-F]{6}$/, 'must be a colour such as #0f6b63')
        .optional()
        .describe('The colour of buttons and links. What is read on it or in it is made readable.'),
    })
    .prefault({}),
  store: z
    .strictObject({
      file: file
        .optional()
        .describe(
          'The SQLite database, relative to the settings: holdfast.db when nothing else is said. For one node.',
        ),
      postgres: z
        .string()
        .min(1)
        .optional()
        .describe(
          'A PostgreSQL database instead, for any number of nodes: postgres://user:password@host/database, or the file that holds that.',
        ),
      connections: z
        .int()
        .min(2)
        .max(100)
        .optional()
        .describe('How many connections to PostgreSQL each node may have: 10 when left out.'),
    })
    .prefault({})
    .describe('Where what must survive is kept.'),
  replay: z
    .strictObject({
      redis: z
        .array(z.string().min(1))
        .min(1)
        .max(100)
        .optional()
        .describe(
          'Redis or Valkey in which used DPoP proofs are remembered, instead of the store: rediss://user:password@host:port, or the file that holds that.',
        ),
      cluster: z.boolean().default(false).describe('They are nodes of a cluster: some of them will do.'),
    })
    .prefault({})
    .describe('Where used DPoP proofs are remembered.'),
  keys: z
    .strictObject({
      encryptionKey: file
        .optional()
        .describe(
          'The file of the key that encrypts the signing keys at rest: 32 bytes in base64url. Made beside the database when left out.',
        ),
      otherEncryptionKeys: z
        .array(file)
        .max(4)
        .default([])
        .describe('Files of keys that open what is sealed already, or will be: while the encryption key is replaced.'),
      rotateEvery: z
        .union([z.int().min(1).max(3650), z.literal('never')])
        .default(90)
        .describe('Days after which the next signing key takes over by itself, or never.'),
      signer: z
        .enum(['own', 'application'])
        .default('own')
        .describe(
          '`application`: the application brings its signer; commands that run without it leave signing keys alone, and `serve` does not start.',
        ),
    })
    .prefault({}),
  revocation: z
    .strictObject({
      jwt: z
        .boolean()
        .default(true)
        .describe(
          'JWT access tokens can be revoked; introspection says so, APIs that check signatures only do not notice.',
        ),
    })
    .prefault({}),
  outbound: z
    .strictObject({
      allow: z.array(z.string().min(1)).default([]).describe('The hosts whose jwks_uri may be fetched.'),
      ca: pem.optional().describe('CA certificates to trust there beside the public ones.'),
      allowPrivateAddresses: z.boolean().default(false).describe('Allow them to be loopback or private addresses.'),
    })
    .prefault({}),
  operations: z
    .strictObject({
      port: port.describe('The port, without TLS: for probes and Prometheus, never for the outside.'),
      host: z.string().min(1).default('localhost').describe('The address to listen on.'),
    })
    .optional()
    .describe('A listener with /livez, /startupz, /readyz and /metrics. Left out: there is none.'),
  node: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes and underscores')
    .optional()
    .describe('The name of this node in the audit log: that of the host when left out.'),
  limits: z
    .strictObject({
      requestsPerAddress: perMinute
        .optional()
        .describe('So many requests from one address are answered in a minute; then it is told to wait (429).'),
      requestsPerClient: perMinute
        .optional()
        .describe('So many requests of one client are answered in a minute, once it has authenticated.'),
      startsPerAddress: perMinute
        .default(3000)
        .describe(
          'So many sign-ins, pushed requests and devices of clients without a secret begin in a minute from one address.',
        ),
      connections: z.int().min(10).max(1_000_000).default(10_000).describe('Open at the same time on each listener.'),
    })
    .prefault({})
    .describe('How much is done for one caller. Nodes that share a PostgreSQL count together.'),
  tracing: z
    .boolean()
    .default(false)
    .describe('Make spans with @opentelemetry/api, for an SDK that the process was started with.'),
  log: z
    .strictObject({
      level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
      requests: z
        .enum(['all', 'refused'])
        .default('all')
        .describe('A line for each request, with what was decided, or only for those that are declined.'),
    })
    .prefault({}),
})

function isIssuer(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, search, hash, username, password, pathname, origin } = new URL(value)
  return (
    protocol === 'https:' &&
    !search &&
    !hash &&
    !username &&
    !password &&
    `${origin}${pathname === '/' ? '' : pathname}` === value
  )
}

function isJsonSchema(value: JsonObject): boolean {
  try {
    z.fromJSONSchema(value)
    return true
  } catch {
    return false
  }
}
