import type { Clock } from '../foundation/clock.ts'
import { type Fetch, getJson } from '../foundation/get-json.ts'
import { isJsonObject, type JsonObject } from '../foundation/json.ts'
import { authorizationServerMetadataUrl, openidConfigurationUrl } from '../oauth/well-known.ts'

/** What an API wants to know of its issuer. RFC 8414 §2, RFC 8705 §5. */
export interface IssuerMetadata {
  /** @throws Error when it cannot be had, is another issuer's, or names an address that is not like the issuer's */
  load(): Promise<IssuerEndpoints>
}

/** What is needed to ask the issuer. */
export interface IssuerAccess {
  readonly metadata: IssuerMetadata
  readonly fetch: Fetch
  readonly now: Clock
  /** Hears of every failed attempt. */
  failed(cause: unknown): void
}

/** Where the issuer's keys lie and its introspection is. */
export interface IssuerEndpoints {
  readonly jwks_uri?: string
  readonly introspection_endpoint?: string
  /** The same for who presents a client certificate. */
  readonly introspection_endpoint_alias?: string
}

/** Creates metadata that is discovered at the well-known places of an issuer, RFC 8414's first. */
export function createIssuerMetadata(issuer: string, fetch: Fetch): IssuerMetadata {
  return {
    async load() {
      const metadata = await getJson(authorizationServerMetadataUrl(issuer), { fetch }).catch(() =>
        getJson(openidConfigurationUrl(issuer), { fetch }),
      )
      if (metadata.issuer !== issuer) throw new Error('the metadata is of another issuer: RFC 8414 §3.3')
      const aliases = metadata.mtls_endpoint_aliases
      return {
        ...address(metadata, 'jwks_uri'),
        ...address(metadata, 'introspection_endpoint'),
        ...(isJsonObject(aliases)
          ? address({ introspection_endpoint_alias: aliases.introspection_endpoint }, 'introspection_endpoint_alias')
          : {}),
      }
    },
  }
}

function address<Name extends string>(metadata: JsonObject, name: Name): { readonly [Key in Name]?: string } {
  const value = metadata[name]
  if (value === undefined) return {}
  if (typeof value !== 'string' || !URL.canParse(value) || new URL(value).protocol !== 'https:') {
    throw new Error(`${name} of the metadata is not an https address`)
  }
  return { [name]: value } as { readonly [Key in Name]?: string }
}
