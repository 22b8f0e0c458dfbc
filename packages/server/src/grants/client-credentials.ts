import { Refused } from '@holdfast/pop'
import { chooseAudience } from './audience.ts'
import type { Grant } from './grant.ts'

/**
 * The client acts for itself. RFC 6749 §4.4. Its subject is its `client_id`, which has no colon: subjects of people
 * do, so that the two never meet (RFC 9068 §5).
 */
export const clientCredentials: Grant = {
  grant_type: 'client_credentials',
  redeem({ authenticated: { client, authentication }, parameters, confirmation, uses }, { settings }) {
    if (authentication === 'none') throw new Refused('client_public')
    const { scope, audience, accessToken } = chooseAudience(client, parameters, settings)
    return {
      grant: {
        subject: client.client_id,
        clientId: client.client_id,
        scope,
        audience,
        ...(confirmation && { confirmation }),
      },
      accessToken,
      uses,
    }
  },
}
