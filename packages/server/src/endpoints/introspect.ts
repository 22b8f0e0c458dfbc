import { type Inbound, Refused, schemeFor } from '@holdfast/pop'
import { authenticate, clientAuthentications } from '../client-authentication/authenticate.ts'
import type { Context } from '../context.ts'
import type { Client } from '../model/client.ts'
import { useUp } from '../tokens/access-token.ts'
import { signResponse } from '../tokens/introspection-response.ts'
import { findPresentedToken, findStanding, type PresentedToken, type Standing } from '../tokens/presented-token.ts'
import { authenticationMetadata } from './authentication-metadata.ts'
import { behindIssuer, type Endpoint, formOf, type Outbound, uncacheable } from './endpoint.ts'

/** RFC 9701 §4. */
const signedType = 'application/token-introspection+jwt'

/** The introspection endpoint. RFC 7662, RFC 8705 §3.2, RFC 9701. */
export const introspect: Endpoint = {
  paths: behindIssuer('/introspect'),
  methods: ['POST'],
  address: 'introspection_endpoint',
  aliased: true,
  metadata: ({ accessTokens }) => ({
    ...authenticationMetadata(
      'introspection',
      clientAuthentications.flatMap(({ methods }) => methods).filter((method) => method !== 'none'),
    ),
    introspection_signing_alg_values_supported: [accessTokens.algorithm],
  }),
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = formOf(inbound)
  const { client, authentication, uses } = await authenticate(inbound, parameters, context)
  if (authentication === 'none') throw new Refused('introspection_not_allowed')
  const text = parameters.one('token')
  if (text === undefined) throw new Refused('token_parameter_missing')
  await useUp(uses, context)
  const found = await findPresentedToken(text, context)
  const standing = found && isFor(client, found) ? await findStanding(found, context) : undefined
  if (found && standing) return await respond(describe(found, standing, context), client, inbound, context)
  // Only inactive tokens are counted: who floods an API with garbage does not stop it from serving others.
  await context.guesses.take(client.client_id, inbound.address)
  return await respond({ active: false }, client, inbound, context)
}

/** An API asks about tokens for itself, a client about its own; nobody else learns anything. RFC 7662 §4. */
function isFor({ client_id, introspects }: Client, { clientId, audience }: PresentedToken): boolean {
  return clientId === client_id || audience.some((identifier) => introspects.includes(identifier))
}

/** RFC 7662 §2.2; `cnf` stands at top level. RFC 8705 §3.2. */
function describe(
  token: PresentedToken,
  { authorization }: Standing,
  { settings: { issuer } }: Context,
): Introspection {
  const details = authorization?.authorizationDetails ?? []
  const { scope, clientId, subject, audience, issued, expires, jti, confirmation } = token
  return {
    active: true,
    iss: issuer,
    sub: subject,
    aud: audience.length === 1 ? audience[0] : audience,
    client_id: clientId,
    scope,
    token_type: schemeFor(confirmation),
    iat: issued,
    exp: expires,
    jti,
    cnf: confirmation,
    act: token.actor,
    authorization_details: details.length > 0 ? details : undefined,
  }
}

type Introspection = { readonly active: boolean } & Readonly<Record<string, unknown>>

async function respond(
  introspection: Introspection,
  client: Client,
  inbound: Inbound,
  context: Context,
): Promise<Outbound> {
  const decision = { client: client.client_id, active: introspection.active }
  if (!accepts(inbound, signedType))
    return { status: 200, headers: uncacheable, body: JSON.stringify(introspection), decision }
  return {
    status: 200,
    decision,
    headers: { ...uncacheable, 'content-type': signedType },
    body: await signResponse(introspection, client.client_id, context),
  }
}

/** Named by itself, and not only to be declined. RFC 9110 §12.5.1. */
function accepts({ headers }: Inbound, type: string): boolean {
  const ranges = headers.accept?.join().toLowerCase().split(',') ?? []
  return ranges.some((range) => {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim())
    return name === type && !parameters.some((each) => /^q=0(\.0*)?$/.test(each))
  })
}
