import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { report, root, textOf } from './files.ts'
import { acceptedVectors } from './vectors/accepted.ts'
import { printedVectors } from './vectors/printed.ts'
import { clock, nonceKey, nonces, type Vector } from './vectors/proofs.ts'
import { refusedVectors } from './vectors/refused.ts'
import { replayedVectors } from './vectors/replayed.ts'

const path = 'vectors/dpop-proofs.json'
const vectors: readonly Vector[] = [
  ...printedVectors(),
  ...(await acceptedVectors()),
  ...(await refusedVectors()),
  ...replayedVectors(),
]
const ids = vectors.map(({ id }) => id)
const twice = ids.find((id, index) => ids.indexOf(id) !== index)
const text = await render()

const { values } = parseArgs({ options: { write: { type: 'boolean' } } })
if (values.write) writeFileSync(join(root, path), text)
const isCurrent = existsSync(join(root, path)) && textOf(path) === text
report(
  [
    ...(isCurrent ? [] : [`${path} is stale: npx node scripts/vectors.ts --write`]),
    ...(twice === undefined ? [] : [`two vectors are called ${twice}`]),
  ],
  `${vectors.length} vectors are current.`,
)

/** One vector a line, so that a change shows as one. */
async function render(): Promise<string> {
  const times = [clock - 310, clock - 300, clock, clock + 10]
  const made = await Promise.all(times.map(async (time) => [await nonces.issue(time), time] as const))
  const head = JSON.stringify({
    about: 'DPoP proofs (RFC 9449) and what a server makes of them. README.md says how to use them.',
    nonceKey: nonceKey.toString('base64url'),
    nonces: Object.fromEntries(made),
  })
  const lines = vectors.map((vector) => JSON.stringify(vector)).join(',\n')
  return `${head.slice(0, -1)},\n"vectors":[\n${lines}\n]}\n`
}
