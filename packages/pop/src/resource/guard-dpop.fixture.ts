import type { PresentedCertificate } from '../foundation/certificate-facts.ts'
import { createClientCertificate } from '../node/certificates/make.ts'
import { nodePrimitives } from '../node/primitives.ts'
import type { Reason } from '../oauth/refusal.ts'
import { presentInHandshake } from '../testing/handshake.ts'
import { createTestIssuer } from '../testing/issuer.ts'
import {
  createTestProofKey,
  type ProofOverrides,
  signProof,
  type TestProofKey,
  type TestProofRequest,
} from '../testing/proofs.ts'
import { createGuard, type GuardContext, type Needs } from './guard.ts'
import type { GuardOptions } from './policy.ts'
import type { Admitted, Declined, Verdict } from './verdict.ts'

/** The address of the request. */
export const url = 'https://api.test/orders'
const credentials = { client_id: 'api', client_secret: 'api-secret' }
/** Who issues the tokens. */
export const issuer = createTestIssuer({ credentials })
/** The key of the client. */
export const key = createTestProofKey()
/** The key of somebody else. */
export const foreign = createTestProofKey()

/** A guard for JWT and reference tokens, with what differs. */
export function guardWith(options: Partial<GuardOptions> = {}, context: Partial<GuardContext> = {}) {
  return createGuard(
    { issuer: issuer.issuer, identifier: issuer.audience, introspection: { ...credentials, cache: 0 }, ...options },
    { primitives: nodePrimitives, fetch: issuer.fetch, now: issuer.now, ...context },
  )
}

/** A guard that takes what is taken where nothing is said. */
export const guard = guardWith()

/** What that guard says of a request. */
export async function judge(changes: Changes = {}, needs?: Needs) {
  return reasonOf(await guard.judge(request(changes), needs))
}

/** The certificate of the client as it arrives in a handshake, and its thumbprint. */
export const { presented: own, thumbprint } = await presentCertificate()

/** A token that is bound to the key. */
export const bound = issuer.accessToken({ claims: { cnf: { jkt: key.thumbprint } } })

/** What a request has of its own: the rest is right. */
export interface Changes {
  readonly token?: string
  readonly scheme?: string
  readonly method?: string
  readonly url?: string
  /** Every DPoP header. */
  readonly proofs?: readonly string[]
  readonly certificate?: PresentedCertificate | undefined
}

/** A request that is right: each has a proof of its own. */
export function request({ token = bound, scheme = 'DPoP', method = 'GET', url: its = url, ...changes }: Changes = {}) {
  const { proofs = [signProof(key, { method, url: its, accessToken: token })], certificate } = changes
  const dpop = proofs.length > 0 ? { dpop: proofs } : {}
  return {
    method,
    url: its,
    headers: { authorization: [`${scheme} ${token}`], ...dpop },
    ...(certificate && { certificate }),
  }
}

/** A request whose proof differs in one thing. */
export function proving(asked: Partial<TestProofRequest>, overrides?: ProofOverrides, by: TestProofKey = key) {
  return request({ proofs: [signProof(by, { method: 'GET', url, accessToken: bound, ...asked }, overrides)] })
}

/** Why a request was refused, if it was. */
export function reasonOf(verdict: Verdict): Reason | 'admitted' {
  return verdict.admitted ? 'admitted' : verdict.reason
}

/** @throws Error when the request was admitted */
export async function declined(verdict: Promise<Verdict>): Promise<Declined> {
  const it = await verdict
  if (it.admitted) throw new Error('admitted')
  return it
}

/** @throws Error when the request was refused */
export async function admitted(verdict: Promise<Verdict>): Promise<Admitted> {
  const it = await verdict
  if (!it.admitted) throw new Error(it.reason)
  return it
}

async function presentCertificate() {
  const pair = await createClientCertificate({ name: 'client', keyType: 'P-256' }, { now: issuer.now })
  const presented = await presentInHandshake(pair)
  if (!presented) throw new Error('no certificate arrived')
  return { presented, thumbprint: pair.thumbprint }
}
