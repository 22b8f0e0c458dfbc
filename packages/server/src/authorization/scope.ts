import { type Parameters, parseScope, Refused } from '@holdfast/pop'
import { parseResources, requireApi } from '../grants/audience.ts'
import type { Client } from '../model/client.ts'
import type { Settings } from '../settings.ts'

/** What a person can be asked to allow. */
export interface AskedScope {
  readonly scope: string
  readonly resources: readonly string[]
}

/**
 * Chooses what of the scope asked for the client may have; without `scope` all that it may. Every resource must be an
 * API with one of these scopes. RFC 6749 §3.3, OpenID Connect Core §3.1.2.1, RFC 8707 §2.
 * @throws {@link Refused} `scope_malformed`, `scope_unknown`, `resource_malformed`, `resource_unknown`, `resources_too_many`
 */
export function chooseScope(client: Client, parameters: Parameters, { apis }: Pick<Settings, 'apis'>): AskedScope {
  const allowed = client.scope === '' ? [] : client.scope.split(' ')
  const asked = parameters.one('scope')
  const wanted = asked === undefined ? allowed : parseScope(asked)
  if (!wanted) throw new Refused('scope_malformed')
  const scopes = wanted.filter((each) => allowed.includes(each))
  if (scopes.length === 0) throw new Refused('scope_unknown')
  const resources = parseResources(parameters)
  for (const resource of resources) {
    if (!requireApi(resource, apis).scopes.some((each) => scopes.includes(each))) throw new Refused('resource_unknown')
  }
  return { scope: scopes.join(' '), resources }
}
