import { type Inbound, Refused } from '@holdfast/pop'
import { authenticate, clientAuthentications } from '../client-authentication/authenticate.ts'
import type { Context } from '../context.ts'
import { useUp } from '../tokens/access-token.ts'
import { authenticationMetadata } from './authentication-metadata.ts'
import { behindIssuer, type Endpoint, formOf, type Outbound, uncacheable } from './endpoint.ts'
import { findPresentedToken, type PresentedToken } from './presented-token.ts'

/** The revocation endpoint: the client and the token, no proof of the token's key. RFC 7009. */
export const revoke: Endpoint = {
  paths: behindIssuer('/revoke'),
  methods: ['POST'],
  address: 'revocation_endpoint',
  aliased: true,
  metadata: () =>
    authenticationMetadata(
      'revocation',
      clientAuthentications.flatMap(({ methods }) => methods),
    ),
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = formOf(inbound)
  const { client, uses } = await authenticate(inbound, parameters, context)
  const text = parameters.one('token')
  if (text === undefined) throw new Refused('token_parameter_missing')
  const found = await findPresentedToken(text, context)
  if (found && found.clientId !== client.client_id) throw new Refused('token_of_another_client')
  if (found?.form === 'jwt' && !context.settings.revocation.jwt) throw new Refused('revocation_unsupported')
  await useUp(uses, context)
  if (found) await end(found, context)
  return { status: 200, headers: uncacheable, body: '' }
}

async function end({ form, hash, jti, expires }: PresentedToken, { store }: Context): Promise<void> {
  if (form === 'jwt') await store.revokeJwt({ jti, expires })
  else await store.revokeReferenceToken(hash)
}
