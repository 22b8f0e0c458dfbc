import { hash, X509Certificate } from 'node:crypto'
import { isJsonObject, type ProofKey, parseJwt } from '@holdfast/pop'
import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { createClient, createProofKey, type NodeClient } from '@holdfast/pop/client/node'
import { type TheftResult, tryThefts } from '../theft/heist.ts'
import { worstOf } from '../theft/theft.ts'
import type { Development } from './development.ts'
import { apiCredentials } from './seed.ts'

/** Tells one step of the story: what is done, and what came of it. Rejects when the step did not go as it must. */
export type Tell = <T>(title: string, step: () => Promise<{ readonly says: string; readonly result: T }>) => Promise<T>

/** How the story is told. */
export interface Telling {
  chapter(title: string): void
  readonly tell: Tell
}

/**
 * The whole story: a certificate made on the fly, a token that is bound to it, an API that refuses the token from
 * anybody else; first with a JWT, then with a reference token, then with a DPoP key in place of the certificate.
 */
export async function tellStory({ origins, credentials }: Development, { chapter, tell }: Telling): Promise<void> {
  const identity = new URL('/identity', origins.api)
  const ca = credentials.ca.certificate
  const pair = await tell('certificate', () => makeCertificate())
  const as = (client_id: string) =>
    createClient({ issuer: origins.issuer, client_id, client_secret: 'secret', scope: 'api1', certificate: pair, ca })
  await using client = as('client')

  chapter('The client gets a token')
  const token = await tell('token', () => getToken(client, 'JWT'))
  const bound = await tell('cnf', () => readConfirmation(token))
  await tell('thumbprint', () => compareThumbprint(pair, bound))
  await tell('call', () => callApi(client, identity))

  chapter('The token leaks, and thieves try it')
  for (const theft of await stealAll(token))
    await tell('theft', async () => ({ says: refusalOf(theft), result: undefined }))

  chapter('The same with a reference token')
  await using other = as('reference')
  const handle = await tell('token', () => getToken(other, 'handle'))
  await using api = createClient({ issuer: origins.issuer, ...apiCredentials, binding: 'none', ca })
  await tell('introspect', () => introspect(api, handle, pair))
  await tell('call', () => callApi(other, identity))
  await tell('thefts', async () => {
    const refused = (await stealAll(handle)).map(refusalOf)
    return { says: `all ${refused.length} again, all refused`, result: undefined }
  })
  await tell('revoke', () => revoke(other, handle, api))

  chapter('The same with DPoP: a proof for each request, and no certificate')
  const proofKey = await tell('key', makeProofKey)
  const mine = { issuer: origins.issuer, client_id: 'client', client_secret: 'secret', scope: 'api1', ca }
  await using prover = createClient({ ...mine, binding: 'dpop', proofKey })
  const proven = await tell('token', () => getToken(prover, 'JWT', 'a proof'))
  const boundToKey = await tell('cnf', () => readConfirmation(proven))
  await tell('thumbprint', () => compareKey(proofKey, boundToKey))
  await tell('call', () => callApi(prover, identity, 'a new proof'))
  await tell('thefts', async () => {
    const { thefts } = await tryThefts({ token: proven, url: identity, ca, proofKey, name: 'client' })
    const names = thefts.map((theft) => refusalOf(theft) && theft.name)
    return { says: `all ${names.length} refused: ${names.join(', ')}`, result: undefined }
  })

  async function stealAll(stolen: string): Promise<readonly TheftResult[]> {
    const { certificate, key } = pair
    const { thefts } = await tryThefts({ token: stolen, url: identity, ca, certificate, key, name: 'client' })
    return thefts
  }
}

async function makeCertificate() {
  const pair = await createClientCertificate({ name: 'client' })
  const { subject, validToDate } = new X509Certificate(pair.certificate)
  return {
    says: `made on the fly: ${subject}, RSA 2048, good until ${validToDate.toISOString().slice(0, 10)}`,
    result: pair,
  }
}

async function makeProofKey() {
  return { says: 'made on the fly: ES256, which only this process can use', result: await createProofKey() }
}

async function getToken(client: NodeClient, form: 'JWT' | 'handle', evidence = 'that certificate') {
  const { access_token: token } = await client.token()
  require((parseJwt(token) !== undefined) === (form === 'JWT'), `the token is no ${form}`)
  const seen = form === 'JWT' ? 'a JWT' : 'an opaque handle'
  return { says: `with client_id, secret and ${evidence}: ${seen}`, result: token }
}

async function readConfirmation(token: string) {
  const cnf = parseJwt(token)?.claims.cnf
  return { says: JSON.stringify(cnf), result: cnf }
}

/** Computed with nothing of ours: the SHA-256 over the DER, in base64url. */
async function compareThumbprint({ certificate }: CertificatePair, cnf: unknown) {
  const computed = hash('sha256', new X509Certificate(certificate).raw, 'base64url')
  require(isJsonObject(cnf) && cnf['x5t#S256'] === computed, `the certificate's is ${computed}`)
  return { says: 'is the SHA-256 over the certificate, computed apart', result: undefined }
}

/** Computed with nothing of ours: the SHA-256 over the members of the key in their order, in base64url. RFC 7638. */
async function compareKey({ jwk }: ProofKey, cnf: unknown) {
  const computed = hash('sha256', JSON.stringify(jwk, ['crv', 'kty', 'x', 'y']), 'base64url')
  require(isJsonObject(cnf) && cnf.jkt === computed, `the key's thumbprint is ${computed}`)
  return { says: "is the SHA-256 over the key's public half, computed apart", result: undefined }
}

async function callApi(client: NodeClient, identity: URL, evidence = 'the certificate') {
  const response = await client.fetch(identity)
  require(response.status === 200, `the API answered ${response.status}`)
  await response.body?.cancel()
  return { says: `GET ${identity.pathname} with ${evidence}: 200`, result: undefined }
}

async function introspect(api: NodeClient, handle: string, { thumbprint }: CertificatePair) {
  const { active, cnf } = await api.introspect(handle)
  require(active &&
    isJsonObject(cnf) &&
    cnf['x5t#S256'] === thumbprint, `the answer is ${JSON.stringify({ active, cnf })}`)
  return { says: 'the API asks the issuer: active, with the same cnf', result: undefined }
}

async function revoke(client: NodeClient, handle: string, api: NodeClient) {
  await client.revoke(handle)
  const { active } = await api.introspect(handle)
  require(!active, 'the token is still active')
  return { says: 'the client ends the token: it is no longer active', result: undefined }
}

function refusalOf({ says, outcome, attempts }: TheftResult): string {
  const { status = 0, error, answer = 'nothing was tried' } = worstOf(attempts) ?? {}
  const tries = attempts.length > 2 ? ` (${attempts.length})` : ''
  require(outcome === 'refused', `${says}: ${outcome}: ${status} ${answer}`)
  return `${says}${tries}: ${status} ${error ?? answer}`
}

function require(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise)
}
