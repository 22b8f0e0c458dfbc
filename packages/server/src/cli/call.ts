import { type JsonObject, parseJsonObject, parseJwt } from '@holdfast/pop'
import { thumbprintOf } from '@holdfast/pop/certificates'
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
    .option(...caOption)
    .option('--json', 'print status, headers and body as JSON')
    .addHelpText(
      'after',
      `
The answer goes to standard output, the status to standard error.
Exit 1 when it is not a success.

  $ holdfast call https://localhost:5003/identity
  $ holdfast call https://localhost:5003/identity \\
      --cert other.pem --key other.key`,
    )
    .action(async (target: string, options: CallOptions) => {
      const url = httpsUrl(target)
      if ((options.cert === undefined) !== (options.key === undefined))
        throw new Failure(2, 'Give --cert and --key together.')
      const presentation = await presentationOf(options.token, options, terminal)
      const { token, certificate, key } = presentation
      const ca = await caFor(url.href, options.ca)
      const pair = certificate !== undefined && key !== undefined ? { certificate, key } : undefined
      const connections = new MutualTls({ certificate: pair, ca })
      try {
        const response = await connections.fetch(url, {
          method: options.method,
          headers: [...headersOf(options.header), ['authorization', `Bearer ${token}`]],
          ...(options.data === undefined ? {} : { body: options.data }),
        })
        await show(response, options.json, terminal)
        if (!response.ok) throw new Failure(1, diagnosis(response, presentation, pair !== undefined))
      } finally {
        await connections.close()
      }
    })
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
function diagnosis(response: Response, { token, certificate }: Presentation, shown: boolean): string {
  const challenge = response.headers.get('www-authenticate') ?? ''
  const error = /error="([^"]*)"/.exec(challenge)?.[1]
  const says = /error_description="([^"]*)"/.exec(challenge)?.[1]
  const verdict =
    error === undefined ? `The API answered ${response.status}.` : `Refused: ${error}. ${says ?? ''}`.trim()
  if (response.status !== 401) return harmless(verdict)
  return [harmless(verdict), ...seenHere(parseJwt(token)?.claims, certificate, shown)].join(' ')
}

function seenHere(claims: JsonObject | undefined, certificate: string | undefined, shown: boolean): readonly string[] {
  const { exp, cnf } = claims ?? {}
  const now = systemNow()
  if (typeof exp === 'number' && exp <= now) return [`The token expired ${renderDistance(exp - now)}: get a new one.`]
  const bound = typeof cnf === 'object' && cnf !== null && 'x5t#S256' in cnf ? String(cnf['x5t#S256']) : undefined
  if (claims && bound === undefined) return ['The token is bound to no certificate.']
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
