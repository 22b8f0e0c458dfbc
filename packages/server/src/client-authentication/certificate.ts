import { type PresentedCertificate, type Reason, Refused, verifyCertificate } from '@holdfast/pop'
import { matchesSubject, registeredCertificate } from '@holdfast/pop/certificates'
import type { Context } from '../context.ts'
import { type Client, subjectOf } from '../model/client.ts'
import type { ClientAuthentication } from './client-authentication.ts'

/** `tls_client_auth` and `self_signed_tls_client_auth`: by the key that the TLS handshake proved. RFC 8705 §2. */
export const byCertificate: ClientAuthentication = {
  methods: ['tls_client_auth', 'self_signed_tls_client_auth'],
  takes: 'identifier',
  async verify({ client, inbound: { certificate } }, context) {
    if (!certificate) throw new Refused('client_certificate_missing')
    requireValid(certificate, context)
    if (client.token_endpoint_auth_method === 'tls_client_auth') await requireSubject(client, certificate, context)
    else await requireRegistered(client, certificate, context)
    return []
  },
}

/** What is wrong with a certificate as evidence, in the words of authentication. */
const asAuthentication: Partial<Record<Reason, Reason>> = {
  certificate_expired: 'client_certificate_dates',
  certificate_not_yet_valid: 'client_certificate_dates',
  certificate_key_unacceptable: 'client_certificate_key',
  certificate_unreadable: 'client_certificate_not_registered',
}

function requireValid(certificate: PresentedCertificate, { now, primitives }: Context): void {
  try {
    verifyCertificate(certificate, now(), primitives)
  } catch (cause) {
    if (!(cause instanceof Refused)) throw cause
    throw new Refused(asAuthentication[cause.reason] ?? cause.reason, { cause })
  }
}

/** The registered subject value, and a path to the client's own trust group. RFC 8705 §2.1. */
async function requireSubject(client: Client, { chain }: PresentedCertificate, { trust, now }: Context): Promise<void> {
  const subject = subjectOf(client)
  const leaf = chain[0]
  if (!subject || leaf === undefined || client.trust_group === undefined)
    throw new Refused('client_certificate_subject')
  await trust.verifyPath(client.trust_group, chain, now())
  if (!matchesSubject(Buffer.from(leaf, 'base64'), subject)) throw new Refused('client_certificate_subject')
}

/** Equality with a registered certificate; its chain is not looked at. RFC 8705 §2.2. */
async function requireRegistered(client: Client, { chain }: PresentedCertificate, context: Context): Promise<void> {
  const leaf = chain[0]
  for (const fresh of [false, true]) {
    const registered = await registeredOf(client, context, fresh)
    if (leaf !== undefined && registered.has(leaf)) return
    if (!client.jwks_uri) break
  }
  throw new Refused('client_certificate_not_registered')
}

const registeredByKeys = new WeakMap<object, ReadonlySet<string>>()

async function registeredOf(
  { jwks, jwks_uri }: Client,
  { fetchKeys }: Context,
  fresh: boolean,
): Promise<ReadonlySet<string>> {
  const keys: { readonly keys?: unknown } = jwks ?? (jwks_uri === undefined ? {} : await fetchKeys(jwks_uri, { fresh }))
  const known = registeredByKeys.get(keys)
  if (known) return known
  const certificates = (Array.isArray(keys.keys) ? keys.keys : []).flatMap(
    (key: unknown) => registeredCertificate(key)?.toString('base64') ?? [],
  )
  const registered = new Set(certificates)
  registeredByKeys.set(keys, registered)
  return registered
}
