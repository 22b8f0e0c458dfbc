import { type Inbound, type KeyBinding, Refused } from '@holdfast/pop'
import { judgeRequest, requireTarget } from '../authorization/authorization-request.ts'
import { pushedRequestLifetime, pushRequest, requireNoRequestUri } from '../authorization/pushed-request.ts'
import { openRequestObject, requireSigned } from '../authorization/request-object.ts'
import { authenticate } from '../client-authentication/authenticate.ts'
import type { Context } from '../context.ts'
import { earlyBindingOf, type Proven, prove } from '../possession/prove.ts'
import { useUp } from '../tokens/access-token.ts'
import { answering, behindIssuer, type Endpoint, formOf, type Outbound } from './endpoint.ts'

/** The endpoint where clients push authorization requests before the browser comes. RFC 9126 §2. */
export const pushedAuthorization: Endpoint = {
  paths: behindIssuer('/par'),
  methods: ['POST'],
  address: 'pushed_authorization_request_endpoint',
  aliased: true,
  openTo: 'registered-origins',
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = formOf(inbound)
  const authenticated = await authenticate(inbound, parameters, context)
  const { client } = authenticated
  const proven = await prove(inbound, authenticated, context, 'nothing')
  requireNoRequestUri(parameters)
  requireSigned(parameters, client)
  const opened = await openRequestObject(parameters, client, context)
  const request = await judgeRequest(client, opened, requireTarget(client, opened), context)
  const binding = chooseBinding(request.binding, earlyBindingOf(authenticated, proven))
  if (authenticated.authentication === 'none') await context.starts.take('', inbound.address)
  await useUp(proven.uses, context)
  return respond(await pushRequest(binding ? { ...request, binding } : request, context), proven)
}

/** A proof stands for `dpop_jkt`: where both are sent, they name one key. A `dpop_jkt` goes before a certificate. RFC 9449 §10.1. */
function chooseBinding(asked: KeyBinding | undefined, shown: KeyBinding | undefined): KeyBinding | undefined {
  if (asked && shown && 'jkt' in asked && 'jkt' in shown && asked.jkt !== shown.jkt)
    throw new Refused('dpop_jkt_disagrees')
  return asked ?? shown
}

/** RFC 9126 §2.2. */
function respond(request_uri: string, proven: Proven): Outbound {
  return {
    status: 201,
    headers: answering(proven),
    body: JSON.stringify({ request_uri, expires_in: pushedRequestLifetime }),
  }
}
