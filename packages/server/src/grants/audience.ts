import { type Parameters, parseScope, Refused } from '@holdfast/pop'
import type { Client } from '../model/client.ts'
import { openidScopes } from '../model/openid-scope.ts'
import type { AccessTokenSettings, Api, Settings } from '../settings.ts'

/** What a client asked for and may have: scope, the APIs that it is for, and the token that they take. */
export interface Audience {
  readonly scope: string
  readonly audience: readonly string[]
  readonly accessToken: AccessTokenSettings
}

/** What can be asked for at most. */
export interface Permission {
  readonly scope: string
  /** The APIs that were agreed on: any when empty. */
  readonly resources: readonly string[]
  /** Whether somebody allowed it: then scopes of OpenID Connect, which belong to no API, are among it. */
  readonly byPerson: boolean
  /** The parameters that name APIs. @default ['resource'] */
  readonly namedBy?: readonly ('resource' | 'audience')[]
}

const mostResources = 10

/**
 * Chooses scope and audience. Without `scope` it is all that is permitted, without `resource` what was agreed on, or
 * else the scopes choose the APIs; with both each must fit the other. RFC 6749 §3.3, §6, RFC 8707 §2.
 *
 * Scopes of OpenID Connect alone make a token for the issuer itself.
 *
 * @throws {@link Refused} `scope_malformed`, `scope_unknown`, `resource_malformed`, `resource_unknown`, `resources_too_many`, `resources_disagree`
 */
export function chooseAudience(
  client: Client,
  parameters: Parameters,
  settings: Settings,
  permission: Permission = { scope: client.scope, resources: [], byPerson: false },
): Audience {
  const allowed = wordsOf(permission.scope)
  const named = parseResources(parameters, permission.namedBy)
  if (permission.resources.length > 0 && named.some((each) => !permission.resources.includes(each)))
    throw new Refused('resource_unknown')
  const resources = named.length > 0 ? named : permission.resources
  const asked = parameters.one('scope')
  const scopes = asked === undefined ? allowed : requireAllowed(asked, allowed)
  const candidates =
    resources.length > 0 ? resources.map((resource) => requireApi(resource, settings.apis)) : settings.apis
  const chosen = candidates.filter((api) => api.scopes.some((scope) => scopes.includes(scope)))
  if (named.length > 0 && chosen.length < candidates.length) throw new Refused('resource_unknown')

  const ofPerson = permission.byPerson ? openidScopes : []
  const granted = scopes.filter((scope) => ofPerson.includes(scope) || chosen.some((api) => api.scopes.includes(scope)))
  if (granted.length === 0 || (asked !== undefined && granted.length < scopes.length))
    throw new Refused('scope_unknown')
  return { scope: granted.join(' '), ...tokenFor(chosen, client, settings) }
}

/** The words of a scope that was checked before. */
export function wordsOf(scope: string): readonly string[] {
  return scope === '' ? [] : scope.split(' ')
}

/** Parses what the request names, without a look at what there is. @throws {@link Refused} `resources_too_many`, `resource_malformed` */
export function parseResources(
  parameters: Parameters,
  namedBy: NonNullable<Permission['namedBy']> = ['resource'],
): readonly string[] {
  const resources = namedBy.flatMap((name) => parameters.many(name))
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

/** Finds an API that somebody names. @throws {@link Refused} `resource_unknown` */
export function requireApi(resource: string, apis: readonly Api[]): Api {
  const api = apis.find(({ identifier }) => identifier === resource)
  if (!api) throw new Refused('resource_unknown')
  return api
}

function tokenFor(apis: readonly Api[], client: Client, settings: Settings): Omit<Audience, 'scope'> {
  if (apis.length > 0) return { audience: apis.map((api) => api.identifier), accessToken: agree(apis, client) }
  return { audience: [settings.issuer], accessToken: agree([settings], client) }
}

/** One token for all: they must take the same kind; the shortest lifetime holds. */
function agree(
  [first, ...others]: readonly { readonly accessTokens: AccessTokenSettings }[],
  client: Client,
): AccessTokenSettings {
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
