import { type Inbound, Refused, type Seconds } from '@holdfast/pop'
import { chooseScope } from '../authorization/scope.ts'
import { authenticate } from '../client-authentication/authenticate.ts'
import type { Authenticated } from '../client-authentication/client-authentication.ts'
import type { Context } from '../context.ts'
import { deviceCode, pollInterval } from '../grants/device-code.ts'
import type { DeviceAuthorization } from '../model/authorization.ts'
import { earlyBindingOf, type Proven, prove } from '../possession/prove.ts'
import { useUp } from '../tokens/access-token.ts'
import { createHandle, handleHash } from '../tokens/handle.ts'
import { createUserCode, userCodeHash } from '../tokens/user-code.ts'
import { answering, behindIssuer, type Endpoint, formOf, type Outbound } from './endpoint.ts'

/** From the request of the device to the answer of the person. */
const lifetime: Seconds = 600

/** So often another user code is tried when one is taken: with a million of them waiting once is enough. */
const mostTries = 5

/** The device authorization endpoint. RFC 8628 §3.1, §3.2. Its codes are bound to a key that the device shows. */
export const deviceAuthorization: Endpoint = {
  paths: behindIssuer('/device_authorization'),
  methods: ['POST'],
  address: 'device_authorization_endpoint',
  aliased: true,
  openTo: 'registered-origins',
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const parameters = formOf(inbound)
  const authenticated = await authenticate(inbound, parameters, context)
  if (!authenticated.client.grant_types.includes(deviceCode.grant_type)) throw new Refused('grant_type_not_allowed')
  const asked = chooseScope(authenticated.client, parameters, context.settings)
  const code = createHandle(context.primitives.random)
  const proven = await prove(inbound, authenticated, context, 'nothing')
  const binding = earlyBindingOf(authenticated, proven)
  const device = { ...begin(code, authenticated, context.now()), ...asked, ...(binding && { binding }) }
  if (authenticated.authentication === 'none') await context.starts.take('', inbound.address)
  await useUp(proven.uses, context)
  return respond({ device_code: code, user_code: await insert(device, context) }, proven, context)
}

function begin(code: string, { client }: Authenticated, created: Seconds) {
  const expires = created + lifetime
  return { hash: handleHash(code), clientId: client.client_id, created, expires, stage: 'pending' } as const
}

/** @returns the user code, which no other device shows */
async function insert(
  device: Omit<DeviceAuthorization, 'userCodeHash' | 'stage'> & { readonly stage: 'pending' },
  { store, primitives }: Context,
): Promise<string> {
  for (let tries = 0; tries < mostTries; tries++) {
    const userCode = createUserCode(primitives.random)
    if (await store.insertDeviceAuthorization({ ...device, userCodeHash: userCodeHash(userCode) ?? '' }))
      return userCode
  }
  throw new Error('Every user code that was tried is taken.')
}

function respond(
  { device_code, user_code }: { readonly device_code: string; readonly user_code: string },
  proven: Proven,
  { settings }: Context,
): Outbound {
  const verification_uri = `${settings.issuer}/device`
  return {
    status: 200,
    headers: answering(proven),
    body: JSON.stringify({
      device_code,
      user_code,
      verification_uri,
      verification_uri_complete: `${verification_uri}?user_code=${user_code}`,
      expires_in: lifetime,
      interval: pollInterval,
    }),
  }
}
