import { type Inbound, type Parameters, parseParameters, Refused } from '@holdfast/pop'
import {
  findAskingClient,
  judgeRequest,
  prompts,
  requireTarget,
  responseModes,
} from '../../authorization/authorization-request.ts'
import { tellingClient } from '../../authorization/declined.ts'
import type { Visit } from '../../authorization/flow.ts'
import { findPushed, isPushed, mustPush, pushRequest } from '../../authorization/pushed-request.ts'
import { openRequestObject, requestObjectAlgorithms, requireSigned } from '../../authorization/request-object.ts'
import { findSignedIn } from '../../authorization/session.ts'
import type { Context } from '../../context.ts'
import type { Client } from '../../model/client.ts'
import { languages } from '../../pages/words.ts'
import { behindIssuer, type Endpoint, type Outbound, queryOf } from '../endpoint.ts'
import { seeOther } from './page.ts'
import { renderPageRefusal } from './page-refusal.ts'
import { proceed } from './visit.ts'

/** The authorization endpoint. RFC 6749 §3.1, OpenID Connect Core §3.1.2. */
export const authorize: Endpoint = {
  paths: behindIssuer('/authorize'),
  methods: ['GET', 'POST'],
  address: 'authorization_endpoint',
  metadata: ({ authorizationDetails, pushedAuthorizationRequests }) => ({
    response_types_supported: ['code'],
    response_modes_supported: responseModes,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    request_parameter_supported: true,
    request_uri_parameter_supported: false,
    require_signed_request_object: false,
    require_pushed_authorization_requests: pushedAuthorizationRequests.required,
    request_object_signing_alg_values_supported: requestObjectAlgorithms,
    authorization_details_types_supported: Object.keys(authorizationDetails),
    prompt_values_supported: prompts,
    ui_locales_supported: languages,
    claims_parameter_supported: false,
  }),
  renderRefusal: renderPageRefusal,
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = inbound.method === 'POST' ? parseParameters(inbound.form ?? []) : queryOf(inbound)
  const client = await findAskingClient(parameters.one('client_id'), context)
  const visit = await judge(parameters, client, context)
  if (inbound.method === 'POST') return await continueByGet({ inbound, parameters, visit }, context)
  const signedIn = await findSignedIn(inbound, context)
  return await proceed({ inbound, visit, client, signedIn, done: 'nothing' }, context)
}

/** A request that was pushed has been judged; another is, once it is certain who may be told the result. */
async function judge(parameters: Parameters, client: Client, context: Context): Promise<Visit> {
  const requestUri = parameters.one('request_uri')
  if (requestUri !== undefined && isPushed(requestUri)) {
    const { request, hash } = await findPushed(requestUri, client, context)
    return { request, pushedRequest: hash }
  }
  const opened = await openRequestObject(parameters, client, context)
  const target = requireTarget(client, opened)
  return await tellingClient(target, async () => {
    if (requestUri !== undefined) throw new Refused('request_uri_foreign')
    if (mustPush(client, context)) throw new Refused('pushed_request_required')
    requireSigned(parameters, client)
    return { request: await judgeRequest(client, opened, target, context) }
  })
}

interface Posted {
  readonly inbound: Inbound
  readonly parameters: Parameters
  readonly visit: Visit
}

/** What another site posts comes without cookies; what it leads to by GET has them. RFC 6265bis §5.2. */
async function continueByGet({ inbound, parameters, visit: { request, pushedRequest } }: Posted, context: Context) {
  const pushed = pushedRequest === undefined ? undefined : parameters.one('request_uri')
  if (pushed === undefined) await context.starts.take('', inbound.address)
  const query = new URLSearchParams({
    client_id: request.clientId,
    request_uri: pushed ?? (await pushRequest(request, context)),
  })
  return seeOther(`${authorize.paths(context.settings)[0]}?${query}`)
}
