import { isKeyBindingShown, Refused, type Seconds } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { DeviceAuthorization } from '../model/authorization.ts'
import { handleHash, isHandle } from '../tokens/handle.ts'
import type { Grant, GrantRequest } from './grant.ts'
import { earn, firstRefreshToken, requireAuthorization } from './person-grant.ts'

/** How long a device waits between two requests at least. RFC 8628 §3.2. */
export const pollInterval: Seconds = 5

/**
 * A person allowed it at another device. RFC 8628 §3.4, §3.5. Who is refused for another reason than that nobody has
 * answered yet has not polled.
 */
export const deviceCode: Grant = {
  grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
  async redeem(request, context) {
    const device = await requireDevice(request, context)
    if (device.stage !== 'approved') return await refuseUnanswered(device, context)
    const authorization = await requireAuthorization(device.authorizationId, context)
    return {
      ...earn(authorization, request, context),
      redemptions: [{ kind: 'device_code', hash: device.hash }],
      ...(request.authenticated.client.grant_types.includes('refresh_token') && {
        refreshToken: firstRefreshToken(authorization, request, context.now()),
      }),
    }
  },
}

async function requireDevice(
  { authenticated: { client }, parameters, possession }: GrantRequest,
  { store, now }: Context,
): Promise<DeviceAuthorization> {
  const text = parameters.one('device_code')
  if (text === undefined) throw new Refused('device_code_missing')
  const device = isHandle(text) ? await store.findDeviceAuthorization({ hash: handleHash(text) }) : undefined
  if (!device) throw new Refused('device_code_unknown')
  if (device.clientId !== client.client_id) throw new Refused('device_code_of_another_client')
  if (device.binding && !isKeyBindingShown(device.binding, possession)) throw new Refused('device_code_key_not_shown')
  if (device.stage === 'redeemed') throw new Refused('device_code_used')
  if (device.expires <= now()) throw new Refused('device_code_expired')
  return device
}

async function refuseUnanswered({ hash, stage }: DeviceAuthorization, { store, now }: Context): Promise<never> {
  if (stage === 'denied') throw new Refused('device_denied')
  const since = await store.pollDevice({ hash, now: now() })
  throw new Refused(since !== undefined && since < pollInterval ? 'device_polled_early' : 'device_pending')
}
