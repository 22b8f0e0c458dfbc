import { existsSync } from 'node:fs'
import { parseJwt, type UnverifiedJwt } from '@holdfast/pop'
import { thumbprintOf } from '@holdfast/pop/certificates'
import type { Command } from 'commander'
import { type Asking, introspect, signatureOf } from './ask-issuer.ts'
import { renderCertificate } from './certificate-facts.ts'
import { addCredentialOptions } from './client-options.ts'
import { Failure } from './exit.ts'
import { boundTo, type Findings, renderFindings, requireFit } from './findings.ts'
import { certificateIn, readCertificateFile, readTextFile } from './input-file.ts'
import { systemNow } from './moment.ts'
import { examineProof, isProof } from './proof/examine.ts'
import { renderProof } from './proof/render.ts'
import { readProofKey } from './proof-key.ts'
import { requireSession } from './session.ts'
import type { Terminal } from './terminal.ts'
import { tokenIn } from './token-input.ts'
import { caOption } from './trust.ts'

interface InspectOptions extends Asking {
  readonly cert?: string
  readonly dpopKey?: string
  readonly token?: string
  readonly method?: string
  readonly url?: string
  readonly introspect?: true
  readonly json?: true
}

/** `holdfast inspect` */
export function defineInspect(command: Command, terminal: Terminal): void {
  command
    .argument('[what]', "token, DPoP proof, file, @file, or - for standard input (default: the session's token)")
    .option('--cert <file>', 'say whether the token is bound to this certificate')
    .option('--dpop-key <file>', 'say whether the token is bound to this DPoP key, PEM or JWK')
    .option('--issuer <url>', 'verify the signature with the keys of this issuer; the token is not sent')
    .option('--introspect', 'send the token to its issuer and print what that says of it')
    .option('--client <id>', 'who asks, for --introspect')
  addCredentialOptions(command)
    .option('--method <method>', 'of a DPoP proof: the method of the request that it came with')
    .option('--url <url>', 'of a DPoP proof: the address of that request')
    .option('--token <token>', 'of a DPoP proof: the token of that request, itself or @file')
    .option(...caOption)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
A DPoP proof is checked as servers check it, by RFC 9449. Exit 1 when one would
refuse it now, when the signature, the certificate or the key does not fit the
token, or when introspection says inactive.

  $ holdfast inspect
  $ holdfast inspect "$TOKEN" --cert client.pem --issuer https://localhost:5001
  $ holdfast inspect --introspect --client api1 --secret api1-secret
  $ holdfast inspect "$PROOF" --token "$TOKEN" \\
      --method GET --url https://localhost:5003/identity
  $ holdfast inspect client.pem`,
    )
    .action(async (what: string | undefined, options: InspectOptions) => {
      const text = await textOf(what, terminal)
      if (text.includes('-----BEGIN CERTIFICATE-----'))
        return terminal.out(renderCertificate(certificateIn(text, what ?? 'the text').der, options.json, terminal))
      const jwt = parseJwt(text)
      const isOfProof = jwt !== undefined && isProof(jwt)
      requireMeant(options, isOfProof)
      if (isOfProof) return await inspectProof(text, jwt, options, terminal)
      if (!jwt && !options.introspect) throw new Failure(1, opaque(text))
      const found = await findOut(text, jwt, options)
      terminal.out(options.json ? JSON.stringify(found, null, 2) : renderFindings(found, terminal))
      requireFit(found)
    })
}

/** What the options are about is what was given. */
function requireMeant(options: InspectOptions, isOfProof: boolean): void {
  const { method, url, token, cert, dpopKey, issuer, introspect: asks } = options
  if (!isOfProof && [method, url, token].some((option) => option !== undefined))
    throw new Failure(2, '--method, --url and --token are about a DPoP proof, and this is none.')
  if (isOfProof && [cert, dpopKey, issuer, asks].some((option) => option !== undefined))
    throw new Failure(2, '--cert, --dpop-key, --issuer and --introspect are about tokens, and this is a DPoP proof.')
}

async function inspectProof(
  text: string,
  jwt: UnverifiedJwt,
  { method, url, token: given, json }: InspectOptions,
  terminal: Terminal,
): Promise<void> {
  const token = given === undefined ? undefined : await tokenIn(given, terminal)
  const found = await examineProof({ text, jwt, method, url, token, now: systemNow() })
  const { header, claims } = jwt
  terminal.out(json ? JSON.stringify({ header, claims, ...found }, null, 2) : renderProof(found, terminal))
  if (found.refused !== undefined) throw new Failure(1, `A server would refuse this proof: ${found.refused}.`)
}

async function findOut(token: string, jwt: UnverifiedJwt | undefined, options: InspectOptions): Promise<Findings> {
  const { cert, dpopKey, issuer, ca } = options
  const introspection = options.introspect ? await introspect(token, jwt, options) : undefined
  const thumbprint = cert === undefined ? undefined : thumbprintOf((await readCertificateFile(cert)).der)
  const jkt = dpopKey === undefined ? undefined : (await readProofKey(dpopKey)).thumbprint
  const cnf = boundTo(jwt?.claims ?? introspection)
  return {
    ...(jwt ? { header: jwt.header, claims: jwt.claims } : {}),
    ...(introspection ? { introspection } : {}),
    ...(thumbprint === undefined
      ? {}
      : { certificate: { 'x5t#S256': thumbprint, bound: thumbprint === cnf['x5t#S256'] } }),
    ...(jkt === undefined ? {} : { dpopKey: { jkt, bound: jkt === cnf.jkt } }),
    ...(jwt && issuer !== undefined ? { signature: await signatureOf(jwt, issuer, ca) } : {}),
  }
}

async function textOf(what: string | undefined, { input }: Terminal): Promise<string> {
  if (what === undefined) return (await requireSession()).token
  if (what === '-') return (await input()).trim()
  const file = what.startsWith('@') ? what.slice(1) : what
  if (!what.startsWith('@') && !existsSync(what)) return what
  const { pem } = await readCertificateFile(file).catch(() => ({ pem: undefined }))
  return pem ?? (await readTextFile(file)).trim()
}

function opaque(text: string): string {
  const parts = text.split(',').map((part) => parseJwt(part.trim()))
  if (parts.length > 1 && parts.every((part) => part && isProof(part)))
    return 'These are several proofs, joined with a comma: a request has exactly one, and every server refuses this (dpop_repeated).'
  return /^[A-Za-z0-9_-]{20,}$/.test(text)
    ? 'This looks like a reference token: it says nothing by itself. Ask its issuer with --introspect --client ID --secret-file FILE.'
    : 'This is no token, no DPoP proof and no certificate.'
}
