import { type JsonObject, Refused } from '@holdfast/pop'
import { type Client, type ClientInput, certificateSubjects, clientSchema } from '../model/client.ts'
import { openidScopes } from '../model/openid-scope.ts'
import { type Settings, signingAlgorithmsOf } from '../settings.ts'

/** What a client says of itself; all else that is in a record is the operator's or ours. RFC 7591 §2, RFC 8705 §2.1.2, §3.4. */
const clientMembers = [
  'client_name',
  'redirect_uris',
  'post_logout_redirect_uris',
  'application_type',
  'grant_types',
  'scope',
  'token_endpoint_auth_method',
  'token_endpoint_auth_signing_alg',
  'jwks',
  ...certificateSubjects,
  'tls_client_certificate_bound_access_tokens',
  'dpop_bound_access_tokens',
  'require_pushed_authorization_requests',
  'require_signed_request_object',
  'request_object_signing_alg',
  'subject_type',
  'id_token_signed_response_alg',
  'authorization_details_types',
] as const satisfies readonly (keyof Client)[]

/** Addresses that a server would have to fetch: only the operator names such, in the settings. `decisions.md` 4.5. */
const fetched = ['jwks_uri', 'request_uris', 'sector_identifier_uri']

/** Declined for the metadata: the client's developer is told which member is wrong, and why. */
export class MetadataRefused extends Refused {
  readonly detail: string

  constructor(reason: 'client_metadata_invalid' | 'redirect_uri_unacceptable', detail: string) {
    super(reason)
    this.detail = detail.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, (character) => (character === '"' ? "'" : '?'))
  }
}

/** What stands in a record beside the client's own words. */
export type Beside = Pick<ClientInput, 'client_id'> & Partial<ClientInput>

/**
 * Parses the metadata of a client: RFC 7591 defaults where it is silent, all members that belong together checked
 * together. What is null counts as left out, what is unknown is ignored, nothing is fetched. RFC 7591 §2, RFC 7592 §2.2.
 * @throws {@link Refused} `software_statement_unsupported`, `client_metadata_invalid`, `redirect_uri_unacceptable`
 */
export function parseClientMetadata(
  written: JsonObject,
  besideOf: (method: unknown) => Beside,
  settings: Settings,
): Client {
  if (isGiven(written.software_statement)) throw new Refused('software_statement_unsupported')
  const foreign = fetched.find((member) => isGiven(written[member]))
  if (foreign !== undefined) throw wrong(foreign, 'is not taken: no address of a client is fetched here')
  const own = Object.fromEntries(
    clientMembers.filter((member) => isGiven(written[member])).map((member) => [member, written[member]]),
  )
  const asked = {
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['authorization_code'],
    scope: openScopes(settings).join(' '),
    ...own,
  }
  const parsed = clientSchema.safeParse({ ...asked, ...besideOf(asked.token_endpoint_auth_method) })
  if (!parsed.success) throw issueOf(parsed.error.issues[0])
  requireResponseTypes(written.response_types, parsed.data)
  requireOffered(parsed.data, settings)
  return parsed.data
}

/** The registration as it stands, in the client's own terms. RFC 7591 §3.2.1. */
export function renderClientMetadata(client: Client): JsonObject {
  return {
    client_id: client.client_id,
    ...Object.fromEntries(clientMembers.map((member) => [member, client[member]])),
    response_types: responseTypesOf(client),
  }
}

/** What the operator has set, which a client cannot change: its own words, secret and trust are decided anew. */
export function operatorMembers(client: Client): Partial<ClientInput> {
  const theirs = [...clientMembers, 'client_secret_hash', 'trust_group']
  return Object.fromEntries(Object.entries(client).filter(([member]) => !theirs.includes(member)))
}

function openScopes({ registration }: Settings): readonly string[] {
  return [...openidScopes, ...(registration?.scopes ?? [])]
}

function responseTypesOf({ grant_types }: Client): readonly string[] {
  return grant_types.includes('authorization_code') ? ['code'] : []
}

/** The two lists say the same. RFC 7591 §2.1. */
function requireResponseTypes(given: unknown, client: Client): void {
  if (isGiven(given) && JSON.stringify(given) !== JSON.stringify(responseTypesOf(client)))
    throw wrong('response_types', 'must be code with the grant authorization_code, and empty without it')
}

/** What this server has, and opens to clients that register themselves. */
function requireOffered(client: Client, settings: Settings): void {
  const scopes = openScopes(settings)
  const scope = client.scope.split(' ').find((each) => each !== '' && !scopes.includes(each))
  if (scope !== undefined) throw wrong('scope', `"${scope}" is not open to registered clients`)
  const type = client.authorization_details_types.find((each) => !Object.hasOwn(settings.authorizationDetails, each))
  if (type !== undefined) throw wrong('authorization_details_types', `"${type}" is not known here`)
  const algorithm = client.id_token_signed_response_alg
  if (algorithm !== undefined && !signingAlgorithmsOf(settings).includes(algorithm))
    throw wrong('id_token_signed_response_alg', 'is none of id_token_signing_alg_values_supported')
}

function issueOf(issue: { readonly path: readonly PropertyKey[]; readonly message: string } | undefined): Refused {
  const member = String(issue?.path[0] ?? 'metadata')
  if (member === 'trust_group')
    return wrong('token_endpoint_auth_method', 'tls_client_auth is not open to registered clients')
  return wrong(member, issue?.message ?? 'is not valid')
}

function wrong(member: string, why: string): MetadataRefused {
  const reason = member === 'redirect_uris' ? 'redirect_uri_unacceptable' : 'client_metadata_invalid'
  return new MetadataRefused(reason, `${member}: ${why}`)
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}
