import { type Inbound, Refused } from '@holdfast/pop'
import { authenticate, clientAuthentications } from '../client-authentication/authenticate.ts'
import type { Context } from '../context.ts'
import { useUpToEnd } from '../tokens/access-token.ts'
import { handleHash, isHandle } from '../tokens/handle.ts'
import { findPresentedToken, type PresentedToken } from '../tokens/presented-token.ts'
import { authenticationMetadata } from './authentication-metadata.ts'
import { behindIssuer, type Endpoint, formOf, type Outbound, uncacheable } from './endpoint.ts'

/** The revocation endpoint: the client and the token, no proof of the token's key. RFC 7009. */
export const revoke: Endpoint = {
  paths: behindIssuer('/revoke'),
  methods: ['POST'],
  address: 'revocation_endpoint',
  aliased: true,
  openTo: 'registered-origins',
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
  const found = (await findPresentedToken(text, context)) ?? (await findRefreshToken(text, context))
  if (found && found.clientId !== client.client_id) throw new Refused('token_of_another_client')
  if (found?.form === 'jwt' && !context.settings.revocation.jwt) throw new Refused('revocation_unsupported')
  await useUpToEnd(uses, context)
  if (found) await end(found, context)
  return { status: 200, headers: uncacheable, body: '' }
}

/** A refresh token of ours, replaced or not: whoever ends it wants its family ended. RFC 7009 §2.1. */
interface PresentedRefreshToken {
  readonly form: 'refresh'
  readonly clientId: string
  readonly authorizationId: string
}

async function findRefreshToken(text: string, { store }: Context): Promise<PresentedRefreshToken | undefined> {
  const found = isHandle(text) ? await store.findRefreshToken(handleHash(text)) : undefined
  return found && { form: 'refresh', clientId: found.clientId, authorizationId: found.authorizationId }
}

async function end(found: PresentedToken | PresentedRefreshToken, { store, now }: Context): Promise<void> {
  switch (found.form) {
    case 'jwt':
      return await store.revokeJwt({ jti: found.jti, expires: found.expires })
    case 'reference':
      return await store.revokeReferenceToken(found.hash)
    case 'refresh':
      return await store.revokeAuthorization({ id: found.authorizationId, now: now() })
  }
}
