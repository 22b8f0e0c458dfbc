import { isJsonObject, type JsonObject } from '@holdfast/pop'
import { Failure } from './exit.ts'
import { renderMoment, systemNow } from './moment.ts'
import { harmless, renderTable, type Terminal } from './terminal.ts'

/** What was found out about a token. */
export interface Findings {
  readonly header?: JsonObject
  readonly claims?: JsonObject
  readonly certificate?: { readonly 'x5t#S256': string; readonly bound: boolean }
  readonly signature?: 'valid' | 'invalid' | 'unknown key'
  readonly introspection?: JsonObject
}

/** The thumbprint of the certificate that a token says it is bound to. */
export function boundTo(claims: JsonObject | undefined): string | undefined {
  const cnf = claims?.cnf
  return isJsonObject(cnf) && typeof cnf['x5t#S256'] === 'string' ? cnf['x5t#S256'] : undefined
}

/** Fails the command when something that was asked for does not fit. */
export function requireFit({ signature, certificate, introspection }: Findings): void {
  if (signature !== undefined && signature !== 'valid')
    throw new Failure(
      1,
      signature === 'invalid'
        ? 'The signature does not fit the token.'
        : 'The issuer has no key with the kid of this token.',
    )
  if (certificate && !certificate.bound) throw new Failure(1, 'The token is not bound to this certificate.')
  if (introspection && introspection.active !== true) throw new Failure(1, 'The token is not active.')
}

/** What was found out, for people. */
export function renderFindings(
  { header, claims, certificate, signature, introspection }: Findings,
  terminal: Terminal,
): string {
  const { style } = terminal
  const sections = [
    ...(header ? [section('header', header, terminal)] : []),
    ...(claims ? [section('claims', claims, terminal), binding(claims, terminal)] : []),
    ...(introspection ? [section('introspection', introspection, terminal)] : []),
    ...(signature === undefined
      ? []
      : [`signature  ${signature === 'valid' ? style.good(signature) : style.bad(signature)}`]),
    ...(certificate ? [compared(certificate, terminal)] : []),
    ...(header && signature === undefined ? [style.dim('The signature was not checked: --issuer URL does.')] : []),
  ]
  return sections.join('\n\n')
}

const moments = new Set(['exp', 'iat', 'nbf', 'auth_time'])

function section(title: string, members: JsonObject, { columns, style }: Terminal): string {
  const rows = Object.entries(members).map(([name, value]) => [
    style.dim(harmless(name)),
    moments.has(name) && typeof value === 'number'
      ? moment(name, value, style)
      : harmless(typeof value === 'string' ? value : JSON.stringify(value)),
  ])
  return `${style.strong(title)}\n${renderTable(rows, columns, '  ')}`
}

function moment(name: string, value: number, { bad }: Terminal['style']): string {
  const text = renderMoment(value)
  return name === 'exp' && value <= systemNow() ? bad(text) : text
}

function binding({ cnf }: JsonObject, { style }: Terminal): string {
  if (isJsonObject(cnf) && typeof cnf['x5t#S256'] === 'string')
    return `${style.good('bound')}  Only the connection that proves the key of the certificate with this SHA-256 can use it.`
  if (isJsonObject(cnf) && typeof cnf.jkt === 'string')
    return `${style.good('bound')}  Only requests with a DPoP proof by the key with this thumbprint can use it.`
  return `${style.bad('not bound')}  Whoever has this token can use it.`
}

function compared(
  { 'x5t#S256': thumbprint, bound }: { readonly 'x5t#S256': string; readonly bound: boolean },
  { style }: Terminal,
): string {
  return `certificate  ${thumbprint}\n${bound ? style.good('The token is bound to this certificate.') : style.bad('The token is not bound to this certificate.')}`
}
