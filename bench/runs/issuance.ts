import { type Bench, type Contestant, formHeaders, stop, type Target, tokenForm } from '../bench.ts'
import type { Result } from '../report.ts'
import { client, dpopClient, referenceClient } from '../target.ts'

/** So many requests stand for a second where each brings a proof of its own: less than a round takes anywhere. */
const provenPerSecond = 1600

/** Certificate-bound JWTs, of Holdfast, of a peer and of the least that could be. */
export async function issuance(bench: Bench): Promise<Result> {
  const targets = {
    holdfast: await bench.target('issuer-holdfast'),
    'oidc-provider': await bench.target('issuer-oidc-provider'),
    'bare handler': await bench.target('issuer-bare'),
  }
  const contestants = {
    holdfast: asking(targets.holdfast, client),
    'oidc-provider': asking(targets['oidc-provider'], client),
    'bare handler': asking(targets['bare handler'], client),
  }
  const result = await bench.takeTurns('issuance', contestants)
  await stop(...Object.values(targets))
  return result
}

/** Each use of a proof is recorded before the answer leaves: in SQLite on disk, or in the memory of oidc-provider. */
export async function dpopIssuance(bench: Bench): Promise<Result> {
  const [ours, peers] = [await bench.target('issuer-holdfast'), await bench.target('issuer-oidc-provider')]
  const result = await bench.takeTurns('dpop-issuance', {
    holdfast: proving(ours, bench),
    'oidc-provider': proving(peers, bench),
  })
  await stop(ours, peers)
  return result
}

/** Tokens that are stored, against those that are not. */
export async function reference(bench: Bench): Promise<Result> {
  const target = await bench.target('issuer-holdfast')
  const result = await bench.takeTurns('reference', {
    'reference token': asking(target, referenceClient),
    JWT: asking(target, client),
  })
  await stop(target)
  return result
}

/** Proofs that are stored, against certificates, of which nothing is. */
export async function dpopStore(bench: Bench): Promise<Result> {
  const target = await bench.target('issuer-holdfast')
  const result = await bench.takeTurns('dpop-store', {
    DPoP: proving(target, bench),
    'certificate-bound': asking(target, client),
  })
  await stop(target)
  return result
}

/** Asks for tokens, all alike. */
export function asking(target: Target, form: Readonly<Record<string, string>>): Contestant {
  const url = `https://localhost:${target.port}/token`
  return { target, load: { url, method: 'POST', headers: formHeaders, body: tokenForm(form) } }
}

/** Asks for tokens, a proof with each. */
export function proving(target: Target, { seconds }: Bench): Contestant {
  const { load } = asking(target, dpopClient)
  return { target, load: { ...load, amount: provenPerSecond * seconds, proofs: {} } }
}
