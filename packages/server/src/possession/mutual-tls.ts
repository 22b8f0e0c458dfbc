import { verifyCertificate } from '@holdfast/pop'
import type { PossessionMethod } from './possession-method.ts'

/**
 * The certificate of the TLS connection. It counts when the client authenticated with it, is registered as bound, or
 * the server binds whoever brings one. One that does not count is not looked at. RFC 8705 §3, §3.4.
 */
export const byMutualTls: PossessionMethod = {
  find({ certificate }, { client, authentication }, { settings, now, primitives }) {
    const required = client.tls_client_certificate_bound_access_tokens
    const counts = required || authentication === 'certificate' || settings.mutualTls.alwaysEmitConfirmationClaim
    return certificate && counts ? { possession: verifyCertificate(certificate, now(), primitives) } : undefined
  },
  isRequired: (client) => client.tls_client_certificate_bound_access_tokens,
  missing: 'certificate_required',
  metadata: () => ({ tls_client_certificate_bound_access_tokens: true }),
}
