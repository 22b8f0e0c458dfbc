import { signatureAlgorithms } from '@holdfast/pop'

/** What the metadata says of client authentication at an endpoint. RFC 8414 §2. */
export function authenticationMetadata(
  endpoint: 'token' | 'introspection' | 'revocation',
  methods: readonly string[],
): Readonly<Record<string, unknown>> {
  return {
    [`${endpoint}_endpoint_auth_methods_supported`]: methods,
    [`${endpoint}_endpoint_auth_signing_alg_values_supported`]: signatureAlgorithms,
  }
}
