import type { Inbound } from '@holdfast/pop'
import { authenticate, clientAuthentications } from '../client-authentication/authenticate.ts'
import type { Context } from '../context.ts'
import { grants, redeem } from '../grants/redeem.ts'
import { tokenExchange } from '../grants/token-exchange.ts'
import { type Proven, prove } from '../possession/prove.ts'
import { type Issued, issue } from '../tokens/access-token.ts'
import { authenticationMetadata } from './authentication-metadata.ts'
import { answering, behindIssuer, type Endpoint, formOf, type Outbound } from './endpoint.ts'

/** The token endpoint. RFC 6749 §3.2. */
export const token: Endpoint = {
  paths: behindIssuer('/token'),
  methods: ['POST'],
  address: 'token_endpoint',
  aliased: true,
  openTo: 'registered-origins',
  metadata: () => ({
    grant_types_supported: grants.map(({ grant_type }) => grant_type),
    ...authenticationMetadata(
      'token',
      clientAuthentications.flatMap(({ methods }) => methods),
    ),
  }),
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = formOf(inbound, repeatableIn(inbound))
  const authenticated = await authenticate(inbound, parameters, context)
  const proven = await prove(inbound, authenticated, context)
  const redeemed = await redeem({ authenticated, parameters, ...proven }, context)
  const issued = await issue(redeemed, context)
  return respond(issued, proven, { client: authenticated.client.client_id, grant: parameters.one('grant_type') })
}

/** RFC 8707 §2; RFC 8693 §2.1 has a second one. */
function repeatableIn({ form = [] }: Inbound): readonly string[] {
  const isExchange = form.some(([name, value]) => name === 'grant_type' && value === tokenExchange.grant_type)
  return isExchange ? ['resource', 'audience'] : ['resource']
}

/** RFC 6749 §5.1, RFC 8693 §2.2.1. */
function respond(issued: Issued, proven: Proven, { client, grant }: Asked): Outbound {
  const { token: access_token, lifetime: expires_in, scope, refreshToken, idToken, authorizationDetails, type } = issued
  return {
    status: 200,
    headers: answering(proven),
    body: JSON.stringify({
      access_token,
      issued_token_type: type,
      token_type: issued.tokenType,
      expires_in,
      refresh_token: refreshToken,
      id_token: idToken,
      scope,
      authorization_details: authorizationDetails,
    }),
    decision: { client, ...(grant !== undefined && { grant }), binding: issued.binding, format: issued.format },
  }
}

interface Asked {
  readonly client: string
  readonly grant: string | undefined
}
