import { type Parameters, parseScope, Refused } from '@holdfast/pop'
import type { Client } from '../model/client.ts'
import type { AccessTokenSettings, Api, Settings } from '../settings.ts'

/** What a client asked for and may have: scope, the APIs that it is for, and the token that they take. */
export interface Audience {
  readonly scope: string
  readonly audience: readonly string[]
  readonly accessToken: AccessTokenSettings
}

const mostResources = 10

/**
 * Chooses scope and audience. Without `scope` it is all that the client may have, without `resource` the scopes choose
 * the APIs; with both each must fit the other. RFC 6749 §3.3, RFC 8707 §2.
 * @throws {@link Refused} `scope_malformed`, `scope_unknown`, `resource_malformed`, `resource_unknown`, `resources_too_many`, `resources_disagree`
 */
export function chooseAudience(client: Client, parameters: Parameters, { apis }: Pick<Settings, 'apis'>): Audience {
  const allowed = client.scope === '' ? [] : client.scope.split(' ')
  const resources = parseResources(parameters)
  const asked = parameters.one('scope')
  const scopes = asked === undefined ? allowed : requireAllowed(asked, allowed)
  const candidates = resources.length > 0 ? resources.map((resource) => requireApi(resource, apis)) : apis
  const chosen = candidates.filter((api) => api.scopes.some((scope) => scopes.includes(scope)))
  if (resources.length > 0 && chosen.length < candidates.length) throw new Refused('resource_unknown')

  const granted = scopes.filter((scope) => chosen.some((api) => api.scopes.includes(scope)))
  if (granted.length === 0 || (asked !== undefined && granted.length < scopes.length))
    throw new Refused('scope_unknown')
  return { scope: granted.join(' '), audience: chosen.map((api) => api.identifier), accessToken: agree(chosen, client) }
}

function parseResources(parameters: Parameters): readonly string[] {
  const resources = parameters.many('resource')
  if (resources.length > mostResources) throw new Refused('resources_too_many')
  if (resources.some((resource) => resource.includes('#') || !URL.canParse(resource)))
    throw new Refused('resource_malformed')
  return [...new Set(resources)]
}

function requireAllowed(asked: string, allowed: readonly string[]): readonly string[] {
  const scopes = parseScope(asked)
  if (!scopes) throw new Refused('scope_malformed')
  if (!scopes.every((scope) => allowed.includes(scope))) throw new Refused('scope_unknown')
  return scopes
}

function requireApi(resource: string, apis: readonly Api[]): Api {
  const api = apis.find(({ identifier }) => identifier === resource)
  if (!api) throw new Refused('resource_unknown')
  return api
}

/** One token for all: they must take the same kind; the shortest lifetime holds. */
function agree([first, ...others]: readonly Api[], client: Client): AccessTokenSettings {
  if (!first) throw new Refused('scope_unknown')
  const format = client.access_token_format ?? first.accessTokens.format
  const { algorithm } = first.accessTokens
  let { lifetime } = first.accessTokens
  for (const { accessTokens } of others) {
    const formatDiffers = (client.access_token_format ?? accessTokens.format) !== format
    if (formatDiffers || (format === 'jwt' && accessTokens.algorithm !== algorithm))
      throw new Refused('resources_disagree')
    lifetime = Math.min(lifetime, accessTokens.lifetime)
  }
  return { format, algorithm, lifetime: client.access_token_lifetime ?? lifetime }
}
