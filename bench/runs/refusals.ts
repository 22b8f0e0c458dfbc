import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import process from 'node:process'
import { createDpopContext, decodeForm, parseJwt, parseParameters, verifyDpopProof } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { proofKeyOf } from '@holdfast/pop/client/node'
import { type Bench, tell } from '../bench.ts'
import { createProofs } from '../proofs.ts'
import type { Result } from '../report.ts'

const [warmingUp, measured] = [100, 400]
const url = 'https://api.test/'
const policy = { algorithms: ['ES256', 'EdDSA', 'PS256', 'ML-DSA-65'], nonces: 'off' } as const

/** What the worst that anybody can send costs before it is declined: without a network, which costs the same for all. */
export async function refusals(bench: Bench): Promise<Result> {
  const key = proofKeyOf(createPrivateKey(bench.pair.key), 'ES256')
  const valid = await createProofs(warmingUp + measured, key, { method: 'POST', url })
  const cheapest = await costOf('a valid proof', (index) => check(valid[index] ?? ''))
  const costs: Record<string, readonly [median: number, p99: number]> = {}
  for (const [name, attack] of Object.entries(attacks())) costs[name] = await costOf(name, attack)
  tell('')
  return {
    title: 'What declined requests cost: the worst that anybody can send',
    note: `CPU time of the parts that judge it, without a network. The cheapest valid request is one with a proof by a key that is
known: ${cheapest[0]} us.`,
    facts: Object.entries(costs).map(
      ([name, [median, p99]]) => `${name}: ${median} us, ${p99} us at the 99th percentile`,
    ),
    goals: [
      { reached: Math.max(...Object.values(costs).map(([, p99]) => p99)) / 1000, of: 'ms at p99', atMost: 1 },
      {
        reached: Math.max(...Object.values(costs).map(([median]) => median)) / cheapest[0],
        of: 'times the cheapest valid request',
        atMost: 2,
      },
    ],
  }
}

const context = createDpopContext(new Uint8Array(32), {
  now: () => Math.floor(Date.now() / 1000),
  primitives: nodePrimitives,
})

async function check(proof: string): Promise<unknown> {
  return await verifyDpopProof([proof], { method: 'POST', url }, policy, context)
}

/** Each bigger, deeper or dearer than a client's could be, within the limits of body and headers. */
function attacks(): Readonly<Record<string, (index: number) => unknown>> {
  const distinct = Array.from({ length: 9000 }, (_, index) => `${index}=1`).join('&')
  const form = (text: string) => () => parseParameters(decodeForm(text))
  const members = encode(Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`m${index}`, index])))
  const deep = Buffer.from(`{"a":${'['.repeat(8000)}`).toString('base64url')
  const rsa = generateKeyPairSync('rsa', { modulusLength: 4096 }).publicKey.export({ format: 'jwk' })
  const curves = Array.from({ length: warmingUp + measured }, () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  )
  const forged = (alg: string, jwk: object, bytes: number, index: number) =>
    check(`${encode({ typ: 'dpop+jwt', alg, jwk, index })}.${claims()}.${Buffer.alloc(bytes, 1).toString('base64url')}`)
  return {
    'a form of 16,000 equal parameters': form('a=1&'.repeat(16_000)),
    'a form of 9,000 parameters': form(distinct),
    'a form of 10,900 escapes': form(`a=${'%C3%A9'.repeat(10_900)}&a=1`),
    'a form of 65,000 plus signs': form(`a=${'+'.repeat(65_000)}&a=1`),
    'a JWT of 8,000 brackets': () => parseJwt(`${deep}.e30.AA`),
    'a JWT of 1,000 members': () => parseJwt(`${members}.e30.AA`),
    'a forged proof by a new key of P-256': (index) => forged('ES256', curves[index] ?? {}, 64, index),
    'a forged proof by a new key of RSA, 4096 bit': (index) => forged('PS256', rsa, 512, index),
  }
}

function claims(): string {
  return encode({ jti: 'jti', htm: 'POST', htu: url, iat: context.now() })
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** In microseconds. */
async function costOf(name: string, run: (index: number) => unknown): Promise<readonly [median: number, p99: number]> {
  tell(`refusals: ${name}`)
  const seen: number[] = []
  for (let index = 0; index < warmingUp + measured; index++) {
    const before = process.cpuUsage()
    try {
      await run(index)
    } catch {
      // declined, as it should be
    }
    const { user, system } = process.cpuUsage(before)
    if (index >= warmingUp) seen.push(user + system)
  }
  seen.sort((a, b) => a - b)
  return [seen[measured / 2] ?? 0, seen[Math.floor(measured * 0.99)] ?? 0]
}
