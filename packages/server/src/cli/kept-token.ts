import { type Confirmation, parseJwt } from '@holdfast/pop'
import type { AccessToken } from '@holdfast/pop/client/node'
import { renderDistance, systemNow } from './moment.ts'
import type { ChosenProofKey } from './proof-key.ts'
import { programName } from './self.ts'
import { keepCertificate, keepProofKey, keepSession, sessionDirectory } from './session.ts'
import { harmless, renderTable, type Terminal } from './terminal.ts'

/** What a token was asked for with. */
export interface Asked {
  readonly issuer: string
  readonly client: string
  readonly certificate?: ShownCertificate | undefined
  readonly proofKey?: ChosenProofKey | undefined
}

/** A certificate that was shown: made on the fly, unless it has files. */
export interface ShownCertificate {
  readonly certificate: string
  readonly key: string
  readonly thumbprint: string
  readonly files?: { readonly certificate: string; readonly key: string } | undefined
}

/** A token that was kept as the session of this folder, and what is known of it. */
export interface KeptToken {
  readonly access_token: string
  readonly token_type: string
  readonly expires_in: number | undefined
  readonly scope: string | undefined
  readonly cnf: Confirmation | undefined
  readonly form: 'JWT' | 'reference'
  /** Of the certificate that was shown. */
  readonly thumbprint?: string
  /** Of the DPoP key that was proven. */
  readonly jkt?: string
  readonly certificate?: string
  readonly key?: string
  readonly dpopKey?: string
  readonly alg?: string
}

/** Keeps a token as the session of this folder, with the keys that were made for it. */
export async function keepToken(
  { access_token, token_type, scope, expires, confirmation }: AccessToken,
  { issuer, client, certificate: pair, proofKey }: Asked,
): Promise<KeptToken> {
  const files = pair && (pair.files ?? (await keepCertificate(pair)))
  const proofs = proofKey && { dpopKey: await fileOf(proofKey), alg: proofKey.key.alg }
  await keepSession({ issuer, client, token: access_token, ...files, ...proofs })
  return {
    access_token,
    token_type,
    expires_in: expires === undefined ? undefined : expires - systemNow(),
    scope,
    cnf: confirmation,
    form: parseJwt(access_token) ? 'JWT' : 'reference',
    ...(pair && { thumbprint: pair.thumbprint }),
    ...(proofKey && { jkt: proofKey.thumbprint }),
    ...files,
    ...proofs,
  }
}

async function fileOf(proofKey: ChosenProofKey): Promise<string> {
  return 'file' in proofKey ? proofKey.file : await keepProofKey(proofKey.text)
}

/** What was kept, for people. */
export function renderKept(kept: KeptToken, first: readonly string[], { style, columns }: Terminal): string {
  const { certificate, dpopKey, scope, expires_in: expires } = kept
  const rows = [
    first,
    ['bound to', boundTo(kept)],
    ...(dpopKey === undefined ? [] : [['DPoP key', dpopKey]]),
    ...(certificate === undefined ? [] : [['certificate', certificate]]),
    ...(scope === undefined ? [] : [['scope', scope]]),
    ...(expires === undefined ? [] : [['expires', renderDistance(expires)]]),
    ['kept in', `${sessionDirectory}/`],
    ['next', `${programName()} call URL`],
  ]
  return renderTable(
    rows.map(([name = '', value = '']) => [style.dim(name), harmless(value)]),
    columns,
  )
}

/** What the token says; a reference token says nothing, so it is what the server was shown. */
function boundTo({ cnf, token_type, thumbprint, jkt, form }: KeptToken): string {
  const certificate = cnf?.['x5t#S256']
  if (cnf?.jkt !== undefined) return `jkt ${cnf.jkt}`
  if (certificate !== undefined) return `x5t#S256 ${certificate}`
  if (jkt !== undefined && token_type === 'DPoP') return `jkt ${jkt}`
  if (thumbprint !== undefined && form === 'reference')
    return `the server knows: introspection tells; it was shown x5t#S256 ${thumbprint}`
  return 'nothing: whoever has this token can use it'
}
