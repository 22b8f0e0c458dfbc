/** Where an authorization server's metadata lies: the well-known segment comes before the issuer's path. RFC 8414 §3.1. */
export function authorizationServerMetadataUrl(issuer: string): string {
  return insert('oauth-authorization-server', issuer)
}

/** Where OpenID Connect Discovery puts it: after the issuer's path. OpenID Connect Discovery 1.0 §4. */
export function openidConfigurationUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
}

/** Where an API's metadata lies. RFC 9728 §3.1. */
export function protectedResourceMetadataUrl(resource: string): string {
  return insert('oauth-protected-resource', resource)
}

function insert(name: string, identifier: string): string {
  const { origin, pathname, search } = new URL(identifier)
  return `${origin}/.well-known/${name}${pathname === '/' ? '' : pathname}${search}`
}
