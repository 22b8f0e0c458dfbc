import { type Inbound, type Parameters, parseJwt, Refused, refusals } from '@holdfast/pop'
import type { Context } from '../context.ts'
import { methodsOf } from '../model/client.ts'
import { byAssertion } from './assertion.ts'
import { byCertificate } from './certificate.ts'
import type { Attempt, Authenticated, ClientAuthentication } from './client-authentication.ts'
import { type Credentials, parseCredentials } from './credentials.ts'
import { byIdentifier } from './public.ts'
import { bySecret } from './secret.ts'

/** The list. */
export const clientAuthentications: readonly ClientAuthentication[] = [
  bySecret,
  byAssertion,
  byCertificate,
  byIdentifier,
]

/**
 * Finds the client that a request names and verifies that it is the one. RFC 6749 §2.3.1, RFC 7523 §3, RFC 8705 §2.
 *
 * Failures count against secrets only, which alone can be guessed. Uses nothing up: an assertion's `jti` is named in `uses`, and `issue` marks it.
 *
 * @throws {@link Refused} the `client_` and `assertion_` reasons, `client_requests_exhausted`
 */
export async function authenticate(inbound: Inbound, parameters: Parameters, context: Context): Promise<Authenticated> {
  const credentials = parseCredentials(inbound, parameters)
  const id = credentials.clientId ?? claimedBy(credentials)
  const { attempts, clientRequests } = context
  const isGuess = credentials.kind === 'secret'
  if (isGuess) attempts.requireLeft(id, inbound.address)
  const authenticated = await verify(id, { credentials, inbound }, context).catch(async (error: unknown) => {
    if (isGuess && isFailure(error)) await attempts.settle(isUnknown(error) ? nobody : id, inbound.address, 'wrong')
    throw error
  })
  if (isGuess) await attempts.settle(id, inbound.address, 'right')
  // Who only says who it is could use up what is left to somebody else.
  await clientRequests?.take(id, authenticated.authentication === 'none' ? inbound.address : undefined)
  return authenticated
}

async function verify(
  id: string,
  { credentials, inbound }: Omit<Attempt, 'client'>,
  context: Context,
): Promise<Authenticated> {
  const client = await context.clients.find(id)
  if (!client) return await refuseUnknown(credentials, context)
  const method = clientAuthentications.find(
    ({ takes, methods }) => takes === credentials.kind && methodsOf(client).some((each) => methods.includes(each)),
  )
  if (!method)
    throw new Refused(credentials.kind === 'identifier' ? 'client_credentials_missing' : 'client_method_not_registered')
  const uses = await method.verify({ client, credentials, inbound }, context)
  if (client.disabled) throw new Refused('client_disabled')
  return { client, authentication: authenticationOf(method), uses }
}

/**
 * Under which name unknown clients are counted, all together: whoever makes names up neither has the counts of real ones
 * forgotten nor fills the database. No client has a name without characters.
 */
const nobody = ''

function isUnknown(error: unknown): boolean {
  return error instanceof Refused && error.reason === 'client_unknown'
}

/** An outage on our side says nothing about the credentials. */
function isFailure(error: unknown): boolean {
  return error instanceof Refused && refusals[error.reason].error === 'invalid_client'
}

function authenticationOf({ takes, methods }: ClientAuthentication): Authenticated['authentication'] {
  if (takes !== 'identifier') return takes
  return methods.includes('none') ? 'none' : 'certificate'
}

/** An assertion names its client itself. Believed only as far as which client's keys are tried. */
function claimedBy(credentials: Credentials): string {
  const subject = credentials.kind === 'assertion' ? parseJwt(credentials.assertion)?.claims.sub : undefined
  if (typeof subject !== 'string') throw new Refused('assertion_malformed')
  return subject
}

/** Costs as much as a wrong secret does. */
async function refuseUnknown(credentials: Credentials, { secrets }: Context): Promise<never> {
  if (credentials.kind === 'secret') await secrets.matches(undefined, credentials.secret)
  throw new Refused('client_unknown')
}
