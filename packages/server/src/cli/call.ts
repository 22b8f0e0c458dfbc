import { createDpopProof, type ProofKey, parseJsonObject, parseJwt } from '@holdfast/pop'
import { nodePrimitives, thumbprintOf } from '@holdfast/pop/certificates'
import { MutualTls } from '@holdfast/pop/client/node'
import type { Command } from 'commander'
import { Failure } from './exit.ts'
import { certificateIn } from './input-file.ts'
import { renderDistance, systemNow } from './moment.ts'
import { type Presentation, type PresentationOptions, presentationOf } from './presentation.ts'
import { repeated } from './repeated.ts'
import { harmless, type Terminal } from './terminal.ts'
import { caFor, caOption } from './trust.ts'

interface CallOptions extends PresentationOptions {
  readonly method: string
  readonly header?: readonly string[]
  readonly data?: string
  readonly token?: string
  readonly ca?: string
  readonly json?: true
}

/** `holdfast call` */
export function defineCall(command: Command, terminal: Terminal): void {
  command
    .argument('<url>', 'https address')
    .option('-X, --method <method>', 'method', 'GET')
    .option('-H, --header <header>', 'further headers, such as "Accept: text/plain"; may be repeated', repeated)
    .option('-d, --data <body>', 'body')
    .option('--token <token>', 'another token: itself, @file, or - for standard input')
    .option('--cert <file>', 'PEM of another certificate')
    .option('--key <file>', 'PEM of its private key')
    .option('--dpop', 'prove the DPoP key of the session: what happens anyway when its token is bound to one')
    .option('--dpop-key <file>', 'another DPoP key: private, PEM or JWK')
    .option(...caOption)
    .option('--json', 'print status, headers and body as JSON')
    .addHelpText(
      'after',
      `
The session says what its token is bound to: a certificate is shown, for a DPoP
key a proof is made. The answer goes to standard output, the status to standard
error. Exit 1 when it is not a success.

  $ holdfast call https://localhost:5003/identity
  $ holdfast call https://localhost:5003/identity \\
      --cert other.pem --key other.key
  $ holdfast call https://localhost:5003/identity \\
      --token @token.txt --dpop-key dpop-key.jwk`,
    )
    .action(async (target: string, options: CallOptions) => {
      const url = httpsUrl(target)
      if ((options.cert === undefined) !== (options.key === undefined))
        throw new Failure(2, 'Give --cert and --key together.')
      const presentation = await presentationOf(options.token, options, terminal)
      requireKey(presentation)
      const { certificate, key } = presentation
      const ca = await caFor(url.href, options.ca)
      const pair = certificate !== undefined && key !== undefined ? { certificate, key } : undefined
      const connections = new MutualTls({ certificate: pair, ca })
      try {
        const response = await send(url, options, presentation, connections)
        await show(response, options.json, terminal)
        if (!response.ok) throw new Failure(1, diagnosis(response, presentation, pair !== undefined))
      } finally {
        await connections.close()
      }
    })
}

/** Sends the request; once more, with its nonce, when the API asks for one. RFC 9449 §9. */
async function send(
  url: URL,
  { method, header, data }: CallOptions,
  { token, proofKey }: Presentation,
  { fetch }: MutualTls,
): Promise<Response> {
  const prove = (key: ProofKey, nonce: string | undefined) =>
    createDpopProof(key, { method, url: url.href, accessToken: token, nonce }, { ...nodePrimitives, now: systemNow })
  const attempt = async (nonce?: string): Promise<Response> => {
    const headers = new Headers([...headersOf(header)])
    headers.set('authorization', `${proofKey ? 'DPoP' : 'Bearer'} ${token}`)
    if (proofKey) headers.set('dpop', await prove(proofKey.key, nonce))
    return await fetch(url, { method, headers, ...(data === undefined ? {} : { body: data }) })
  }
  const response = await attempt()
  const nonce = response.headers.get('dpop-nonce')
  if (!proofKey || nonce === null || !/"use_dpop_nonce"/.test(response.headers.get('www-authenticate') ?? ''))
    return response
  await response.body?.cancel()
  return await attempt(nonce)
}

/** What no API would take is not sent. */
function requireKey({ confirmation: { jkt }, proofKey }: Presentation): void {
  if (jkt !== undefined && !proofKey)
    throw new Failure(2, `The token is bound to the DPoP key ${jkt}, which is not here: name its file with --dpop-key`)
}

/** Parses the address of an API. A token goes nowhere without TLS. */
export function httpsUrl(text: string): URL {
  if (!URL.canParse(text))
    throw new Failure(2, `"${text}" is no address: write one such as https://localhost:5003/identity`)
  const url = new URL(text)
  if (url.protocol !== 'https:') throw new Failure(2, `A token is sent over https only, and this is ${url.protocol}//`)
  return url
}

async function show(response: Response, json: true | undefined, { out, note, style }: Terminal): Promise<void> {
  const text = await response.text()
  const body = parseJsonObject(text)
  const headers = Object.fromEntries(response.headers)
  if (json) return out(JSON.stringify({ status: response.status, headers, body: body ?? text }, null, 2))
  const paint = response.ok ? style.good : style.bad
  note(paint(`${response.status} ${harmless(response.statusText)}`.trim()))
  if (text !== '') out(harmless(body ? JSON.stringify(body, null, 2) : text).trimEnd())
}

/** Why the API said no, from its challenge and from what can be seen here. */
function diagnosis(response: Response, presentation: Presentation, shown: boolean): string {
  const challenge = response.headers.get('www-authenticate') ?? ''
  const error = /error="([^"]*)"/.exec(challenge)?.[1]
  const says = /error_description="([^"]*)"/.exec(challenge)?.[1]
  const verdict =
    error === undefined ? `The API answered ${response.status}.` : `Refused: ${error}. ${says ?? ''}`.trim()
  if (response.status !== 401) return harmless(verdict)
  return [harmless(verdict), ...seenHere(presentation, shown)].join(' ')
}

function seenHere({ token, confirmation, certificate, proofKey }: Presentation, shown: boolean): readonly string[] {
  const claims = parseJwt(token)?.claims
  const { exp } = claims ?? {}
  const now = systemNow()
  if (typeof exp === 'number' && exp <= now) return [`The token expired ${renderDistance(exp - now)}: get a new one.`]
  const { 'x5t#S256': bound, jkt } = confirmation
  if (claims && bound === undefined && jkt === undefined) return ['The token is bound to no key.']
  if (jkt !== undefined && proofKey && proofKey.thumbprint !== jkt)
    return [`The token is bound to the DPoP key ${jkt}, and ${proofKey.thumbprint} made the proof.`]
  if (bound === undefined) return []
  if (!shown || certificate === undefined)
    return [`The token is bound to the certificate ${bound}, and none was shown.`]
  const thumbprint = thumbprintOf(certificateIn(certificate, 'the certificate').der)
  return thumbprint === bound ? [] : [`The token is bound to the certificate ${bound}, and ${thumbprint} was shown.`]
}

function headersOf(lines: readonly string[] = []): [string, string][] {
  return lines.map((line) => {
    const colon = line.indexOf(':')
    if (colon < 1) throw new Failure(2, `"${line}" is no header: write it as "Name: value".`)
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
  })
}
