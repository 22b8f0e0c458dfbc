import { X509Certificate } from 'node:crypto'
import { type JsonObject, parseJsonObject } from '@holdfast/pop'
import { formatDistinguishedName } from '@holdfast/pop/certificates'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { SecretChange } from '../administration/clients.ts'
import { publicJwkOf } from '../development/credentials.ts'
import { clientAuthenticationMethods } from '../model/client.ts'
import { Failure } from './exit.ts'
import { readCertificateFile, readTextFile } from './input-file.ts'
import { repeated } from './repeated.ts'
import { configOption } from './settings-file.ts'

/** What the command line says of a client. */
export interface ClientOptions {
  readonly config?: string
  readonly json?: true
  readonly name?: string
  readonly method?: (typeof clientAuthenticationMethods)[number]
  readonly scope?: string
  readonly certificate?: string
  readonly jwks?: string
  readonly trustGroup?: string
  readonly subjectDn?: string
  readonly sanDns?: string
  readonly sanUri?: string
  readonly sanIp?: string
  readonly sanEmail?: string
  readonly bound?: boolean
  readonly dpopBound?: boolean
  readonly dpop?: 'off' | 'allowed' | 'refresh-tokens'
  readonly dpopNonces?: 'off' | 'required' | 'on-skew'
  readonly grant?: readonly string[]
  readonly type?: 'web' | 'native'
  readonly redirectUri?: readonly string[]
  readonly postLogoutRedirectUri?: readonly string[]
  readonly webOrigin?: readonly string[]
  readonly format?: 'jwt' | 'reference'
  readonly lifetime?: number
  readonly introspects?: readonly string[]
  readonly secretFile?: string
  readonly generateSecret?: true
  readonly disabled?: boolean
  readonly unset?: readonly string[]
}

/** Adds the options that describe a client. */
export function addRegistrationOptions(command: Command): Command {
  return command
    .argument('<id>', 'client_id')
    .option('--name <name>', 'a name for people')
    .addOption(new Option('--method <method>', 'how it authenticates').choices(clientAuthenticationMethods))
    .option('--scope <scope>', 'scopes that it may ask for, separated by spaces')
    .option('--certificate <file>', 'certificate, PEM or DER, that it authenticates with')
    .option('--trust-group <name>', 'group of CAs that may vouch for it (tls_client_auth)')
    .option('--subject-dn <name>', 'subject as RFC 4514 writes it, in place of --certificate')
    .option('--san-dns <name>', 'DNS name in its certificate, in place of the subject')
    .option('--san-uri <uri>', 'URI in its certificate, in place of the subject')
    .option('--san-ip <address>', 'IP address in its certificate, in place of the subject')
    .option('--san-email <address>', 'e-mail address in its certificate, in place of the subject')
    .option('--jwks <file>', 'JWK, JWK set or PEM of its public keys (private_key_jwt)')
    .option('--generate-secret', 'make a secret and print it, this once')
    .option('--secret-file <file>', 'file of a secret that you chose')
    .option('--bound', 'refuse it without a certificate: certificate-bound tokens only')
    .option('--no-bound', 'unbound tokens too')
    .option('--dpop-bound', 'refuse it without a DPoP proof: DPoP-bound tokens only')
    .option('--no-dpop-bound', 'without one too')
    .addOption(
      new Option('--dpop <policy>', 'whether its proofs are taken, and what they bind').choices([
        'off',
        'allowed',
        'refresh-tokens',
      ]),
    )
    .addOption(
      new Option('--dpop-nonces <policy>', 'who must put a nonce into proofs, for it alone').choices([
        'off',
        'required',
        'on-skew',
      ]),
    )
    .option('--grant <type>', 'grant that it may use; may be repeated', repeated)
    .addOption(new Option('--type <type>', 'what kind of application people use').choices(['web', 'native']))
    .option('--redirect-uri <uri>', 'where codes may be sent; may be repeated', repeated)
    .option('--post-logout-redirect-uri <uri>', 'where a browser may go after signing out; may be repeated', repeated)
    .option('--web-origin <origin>', 'origin whose scripts may call the server for it; may be repeated', repeated)
    .addOption(new Option('--format <format>', 'form of its access tokens').choices(['jwt', 'reference']))
    .option('--lifetime <seconds>', 'lifetime of its access tokens', parseLifetime)
    .option('--introspects <uri>', 'APIs on whose behalf it introspects tokens; may be repeated', repeated)
    .option('--disabled', 'refuse it, and its tokens')
    .option('--no-disabled', 'accept it again')
    .option(...configOption)
    .option('--json', 'print JSON')
}

/** The registered members that the command line names. */
export async function membersOf(options: ClientOptions): Promise<JsonObject> {
  const { name, scope, format, lifetime, introspects, bound, disabled, trustGroup } = options
  const { dpopBound, dpop, dpopNonces, grant, type, redirectUri, postLogoutRedirectUri, webOrigin } = options
  const credentials = await credentialsOf(options)
  const all = {
    client_name: name,
    scope,
    access_token_format: format,
    access_token_lifetime: lifetime,
    introspects,
    tls_client_certificate_bound_access_tokens: bound,
    dpop_bound_access_tokens: dpopBound,
    dpop,
    dpop_nonces: dpopNonces,
    grant_types: grant,
    application_type: type,
    redirect_uris: redirectUri,
    post_logout_redirect_uris: postLogoutRedirectUri,
    web_origins: webOrigin,
    disabled,
    trust_group: trustGroup,
    ...credentials,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

async function credentialsOf(options: ClientOptions): Promise<JsonObject> {
  const { method, certificate, jwks, trustGroup, subjectDn, sanDns, sanUri, sanIp, sanEmail } = options
  const subject = {
    tls_client_auth_subject_dn: subjectDn,
    tls_client_auth_san_dns: sanDns,
    tls_client_auth_san_uri: sanUri,
    tls_client_auth_san_ip: sanIp,
    tls_client_auth_san_email: sanEmail,
  }
  const hasSubject = Object.values(subject).some((value) => value !== undefined)
  const assumed = method ?? (hasSubject || trustGroup !== undefined ? 'tls_client_auth' : undefined)
  if (jwks !== undefined)
    return { token_endpoint_auth_method: method ?? 'private_key_jwt', jwks: jwksIn(await readTextFile(jwks), jwks) }
  if (certificate === undefined)
    return { ...subject, ...(assumed === undefined ? {} : { token_endpoint_auth_method: assumed }) }
  const { der, pem } = await readCertificateFile(certificate)
  if (assumed === 'tls_client_auth') {
    const own = hasSubject ? subject : { tls_client_auth_subject_dn: subjectDnOf(der, certificate) }
    return { token_endpoint_auth_method: assumed, ...own }
  }
  if (assumed !== undefined && assumed !== 'self_signed_tls_client_auth')
    throw new Failure(2, `--certificate is not for --method ${assumed}: such a client may present any certificate.`)
  const x5c = [der.toString('base64')]
  return { token_endpoint_auth_method: 'self_signed_tls_client_auth', jwks: { keys: [{ ...publicJwkOf(pem), x5c }] } }
}

function subjectDnOf(der: Buffer, file: string): string {
  const subject = formatDistinguishedName(der)
  if (subject !== undefined) return subject
  const names = new X509Certificate(der).subjectAltName
  throw new Failure(
    1,
    `${file} has an empty subject: register one of its other names instead (${names ?? 'it has none'}).`,
  )
}

function jwksIn(text: string, file: string): JsonObject {
  const written = parseJsonObject(text)
  if (written && Array.isArray(written.keys)) return written
  if (written) return { keys: [written] }
  try {
    return { keys: [publicJwkOf(text)] }
  } catch (cause) {
    throw new Failure(66, `${file} holds no key: write a JWK, a JWK set or PEM.`, cause)
  }
}

/** What becomes of the client's secret. @param needed a client of its kind must have one */
export async function secretOf(
  { secretFile, generateSecret }: ClientOptions,
  needed: boolean,
): Promise<SecretChange | undefined> {
  if (secretFile !== undefined && generateSecret)
    throw new Failure(2, 'Give one of --secret-file and --generate-secret.')
  if (secretFile !== undefined) return { chosen: (await readTextFile(secretFile)).replace(/\r?\n$/, '') }
  return generateSecret || needed ? 'generate' : undefined
}

/** Says whether a client with these members authenticates by a secret. */
export function needsSecret({ token_endpoint_auth_method: method }: JsonObject): boolean {
  return method === undefined || method === 'client_secret_basic' || method === 'client_secret_post'
}

function parseLifetime(text: string): number {
  const seconds = Number(text)
  if (!Number.isInteger(seconds)) throw new InvalidArgumentError('Write a number of seconds.')
  return seconds
}
