import { type Inbound, type KeyBinding, keyBindingOf, type Possession } from '@holdfast/pop'
import { judgeRequest, requireTarget } from '../authorization/authorization-request.ts'
import { pushedRequestLifetime, pushRequest, requireNoRequestUri } from '../authorization/pushed-request.ts'
import { openRequestObject, requireSigned } from '../authorization/request-object.ts'
import { authenticate } from '../client-authentication/authenticate.ts'
import type { Authenticated } from '../client-authentication/client-authentication.ts'
import type { Context } from '../context.ts'
import { findPossession } from '../possession/prove.ts'
import { useUp } from '../tokens/access-token.ts'
import { behindIssuer, type Endpoint, formOf, type Outbound, uncacheable } from './endpoint.ts'

/** The endpoint where clients push authorization requests before the browser comes. RFC 9126 §2. */
export const pushedAuthorization: Endpoint = {
  paths: behindIssuer('/par'),
  methods: ['POST'],
  address: 'pushed_authorization_request_endpoint',
  aliased: true,
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = formOf(inbound)
  const authenticated = await authenticate(inbound, parameters, context)
  const { client, uses } = authenticated
  const shown = findPossession(inbound, authenticated, context)
  requireNoRequestUri(parameters)
  requireSigned(parameters, client)
  const opened = await openRequestObject(parameters, client, context)
  const request = await judgeRequest(client, opened, requireTarget(client, opened), context)
  const binding = request.binding ?? bindingOf(authenticated, shown)
  await useUp(uses, context)
  return respond(await pushRequest(binding ? { ...request, binding } : request, context))
}

/** A public client's code is bound to the key of its certificate: nothing else shows who comes for it. `decisions.md` 1.10. */
function bindingOf({ authentication }: Authenticated, shown: Possession | undefined): KeyBinding | undefined {
  return shown && (authentication === 'none' || shown.member === 'jkt') ? keyBindingOf(shown) : undefined
}

/** RFC 9126 §2.2. */
function respond(request_uri: string): Outbound {
  return {
    status: 201,
    headers: uncacheable,
    body: JSON.stringify({ request_uri, expires_in: pushedRequestLifetime }),
  }
}
