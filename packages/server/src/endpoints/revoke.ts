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
  if (found) await end(found, inbound, context)
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

/** Ends it and records that, or neither. What has ended before is not recorded again. */
async function end(
  found: PresentedToken | PresentedRefreshToken,
  { address }: Inbound,
  { store, now, audit }: Context,
): Promise<void> {
  const { clientId: client, authorizationId: id } = found
  const subject = id === undefined ? undefined : (await store.findAuthorization(id))?.subject
  const told = {
    actor: `client:${client}`,
    client,
    ...(subject !== undefined && { subject }),
    ...(address && { address }),
  }
  if (found.form === 'refresh') {
    const data = { id: found.authorizationId, now: now() }
    await store.audited({
      verb: 'revokeAuthorization',
      data,
      audit: audit({ event: 'authorization_revoked', ...told }),
    })
    return
  }
  const { jti, expires, hash } = found
  const revocation = audit({ event: 'token_revoked', ...told, details: { jti } })
  await store.audited(
    found.form === 'jwt'
      ? { verb: 'revokeJwt', data: { jti, expires }, audit: revocation }
      : { verb: 'revokeReferenceToken', data: hash, audit: revocation },
  )
}
