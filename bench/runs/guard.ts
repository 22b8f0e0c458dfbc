import { createPrivateKey } from 'node:crypto'
import { proofKeyOf } from '@holdfast/pop/client/node'
import { type Bench, type Contestant, stop, type Target } from '../bench.ts'
import { createProofs } from '../proofs.ts'
import type { Result } from '../report.ts'
import { client, dpopClient } from '../target.ts'

/** So many requests stand for a second where each brings a proof of its own: less than a round takes anywhere. */
const provenPerSecond = 4800

/** An API that takes certificate-bound JWTs, guarded by Holdfast, by a peer, and not at all. */
export async function guard(bench: Bench): Promise<Result> {
  const issuer = await bench.target('issuer-holdfast')
  const token = await bench.token(issuer.port, client)
  const given = { issuer: issuer.port }
  const targets = {
    holdfast: await bench.target('api-holdfast', given),
    'express-oauth2-jwt-bearer': await bench.target('api-express', given),
    'bare handler': await bench.target('api-bare', given),
  }
  const calling = (target: Target): Contestant => ({
    target,
    load: { url: `https://localhost:${target.port}/`, method: 'GET', headers: { authorization: `Bearer ${token}` } },
  })
  const result = await bench.takeTurns('guard', {
    holdfast: calling(targets.holdfast),
    'express-oauth2-jwt-bearer': calling(targets['express-oauth2-jwt-bearer']),
    'bare handler': calling(targets['bare handler']),
  })
  await stop(issuer, ...Object.values(targets))
  return result
}

/** An API that takes DPoP-bound JWTs with a proof each. */
export async function dpopGuard(bench: Bench): Promise<Result> {
  const issuer = await bench.target('issuer-holdfast')
  const url = `https://localhost:${issuer.port}/token`
  const key = proofKeyOf(createPrivateKey(bench.pair.key), 'ES256')
  const [dpop = ''] = await createProofs(1, key, { method: 'POST', url })
  const accessToken = await bench.token(issuer.port, dpopClient, { dpop })
  const given = { issuer: issuer.port }
  const targets = {
    holdfast: await bench.target('api-holdfast', given),
    'express-oauth2-jwt-bearer': await bench.target('api-express-dpop', given),
    'bare verify': await bench.target('api-bare-verify', given),
  }
  const calling = (target: Target): Contestant => ({
    target,
    load: {
      url: `https://localhost:${target.port}/`,
      method: 'GET',
      headers: { authorization: `DPoP ${accessToken}` },
      amount: provenPerSecond * bench.seconds,
      proofs: { accessToken },
    },
  })
  const result = await bench.takeTurns('dpop-guard', {
    holdfast: calling(targets.holdfast),
    'express-oauth2-jwt-bearer': calling(targets['express-oauth2-jwt-bearer']),
    'bare verify': calling(targets['bare verify']),
  })
  await stop(issuer, ...Object.values(targets))
  return result
}
