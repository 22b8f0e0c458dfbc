import { type Confirmation, isJsonObject, type JsonObject } from '@holdfast/pop'
import { Failure } from './exit.ts'
import { renderMoment, systemNow } from './moment.ts'
import { harmless, renderTable, type Terminal } from './terminal.ts'

/** What was found out about a token. */
export interface Findings {
  readonly header?: JsonObject
  readonly claims?: JsonObject
  readonly certificate?: { readonly 'x5t#S256': string; readonly bound: boolean }
  readonly dpopKey?: { readonly jkt: string; readonly bound: boolean }
  readonly signature?: 'valid' | 'invalid' | 'unknown key'
  readonly introspection?: JsonObject
}

/** What a token says it is bound to, as far as that can be read. */
export function boundTo(claims: JsonObject | undefined): Confirmation {
  const cnf = isJsonObject(claims?.cnf) ? claims.cnf : {}
  const { 'x5t#S256': certificate, jkt } = cnf
  return {
    ...(typeof certificate === 'string' && { 'x5t#S256': certificate }),
    ...(typeof jkt === 'string' && { jkt }),
  }
}

/** Fails the command when something that was asked for does not fit. */
export function requireFit({ signature, certificate, dpopKey, introspection }: Findings): void {
  if (signature !== undefined && signature !== 'valid')
    throw new Failure(
      1,
      signature === 'invalid'
        ? 'The signature does not fit the token.'
        : 'The issuer has no key with the kid of this token.',
    )
  if (certificate && !certificate.bound) throw new Failure(1, 'The token is not bound to this certificate.')
  if (dpopKey && !dpopKey.bound) throw new Failure(1, 'The token is not bound to this DPoP key.')
  if (introspection && introspection.active !== true) throw new Failure(1, 'The token is not active.')
}

/** What was found out, for people. */
export function renderFindings(
  { header, claims, certificate, dpopKey, signature, introspection }: Findings,
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
    ...(certificate ? [compared('certificate', certificate['x5t#S256'], certificate.bound, terminal)] : []),
    ...(dpopKey ? [compared('DPoP key', dpopKey.jkt, dpopKey.bound, terminal)] : []),
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

function binding(claims: JsonObject, { style, columns }: Terminal): string {
  const { 'x5t#S256': certificate, jkt } = boundTo(claims)
  const needs = [
    ...(certificate === undefined
      ? []
      : ['Only the connection that proves the key of the certificate with this SHA-256 can use it.']),
    ...(jkt === undefined
      ? []
      : [`Only requests with a DPoP proof by the key with this thumbprint can use it: ${how}`]),
  ]
  const says = needs.length > 0 ? needs.join(' ') : 'Whoever has this token can use it.'
  return renderTable([[needs.length > 0 ? style.good('bound') : style.bad('not bound'), says]], columns)
}

const how =
  'send it as "Authorization: DPoP TOKEN", and in the DPoP header a proof made for each request, with its method (htm), its address (htu) and the hash of the token (ath).'

function compared(what: string, thumbprint: string, bound: boolean, { style }: Terminal): string {
  const verdict = bound
    ? style.good(`The token is bound to this ${what}.`)
    : style.bad(`The token is not bound to this ${what}.`)
  return `${what}  ${thumbprint}\n${verdict}`
}
