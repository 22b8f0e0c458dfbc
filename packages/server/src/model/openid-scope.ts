import type { JsonObject } from '@holdfast/pop'

/** The scopes that belong to no API, and the claims that UserInfo answers for each. OpenID Connect Core §5.4, §11. */
const claimsByScope: Readonly<Record<string, readonly string[]>> = {
  openid: ['sub'],
  profile: [
    'name',
    'family_name',
    'given_name',
    'middle_name',
    'nickname',
    'preferred_username',
    'profile',
    'picture',
    'website',
    'gender',
    'birthdate',
    'zoneinfo',
    'locale',
    'updated_at',
  ],
  email: ['email', 'email_verified'],
  address: ['address'],
  phone: ['phone_number', 'phone_number_verified'],
  offline_access: [],
}

/** The scopes that every client may be registered for, whatever the APIs. */
export const openidScopes: readonly string[] = Object.keys(claimsByScope)

/** Every claim that some scope opens. */
export const openidClaims: readonly string[] = Object.values(claimsByScope).flat()

/** What a scope opens of the claims of a person. */
export function claimsWithin(scope: readonly string[], claims: JsonObject): JsonObject {
  const open = new Set(scope.flatMap((each) => claimsByScope[each] ?? []))
  return Object.fromEntries(Object.entries(claims).filter(([name]) => name !== 'sub' && open.has(name)))
}
