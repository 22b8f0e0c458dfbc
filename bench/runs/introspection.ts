import { type Bench, type Contestant, formHeaders, stop, type Target } from '../bench.ts'
import type { Result } from '../report.ts'
import { caller, client, referenceClient } from '../target.ts'

/** As many as the memory of oidc-provider surely holds. */
const asked = 500

/** An API that asks about tokens. */
export async function introspection(bench: Bench): Promise<Result> {
  const targets = {
    holdfast: await bench.target('issuer-holdfast'),
    'oidc-provider': await bench.target('issuer-oidc-provider'),
    'bare handler': await bench.target('introspector-bare', { directory: bench.createFolder('bare') }),
  }
  const { holdfast } = targets
  const result = await bench.takeTurns('introspection', {
    'holdfast, reference token': asking(holdfast, await tokensOf(bench, holdfast, referenceClient)),
    'holdfast, JWT': asking(holdfast, await tokensOf(bench, holdfast, client)),
    'oidc-provider': asking(
      targets['oidc-provider'],
      await tokensOf(bench, targets['oidc-provider'], referenceClient),
      '/token/introspection',
    ),
    'bare handler': asking(targets['bare handler'], await tokensOf(bench, targets['bare handler'], referenceClient)),
  })
  await stop(...Object.values(targets))
  return result
}

/** Asks about tokens in turn. */
export function asking(target: Target, tokens: readonly string[], path = '/introspect'): Contestant {
  const body = tokens.map((token) => new URLSearchParams({ ...caller, token }).toString())
  const url = `https://localhost:${target.port}${path}`
  return { target, load: { url, method: 'POST', headers: formHeaders, body } }
}

async function tokensOf(bench: Bench, { port }: Target, form: Readonly<Record<string, string>>): Promise<string[]> {
  const tokens: string[] = []
  while (tokens.length < asked) tokens.push(await bench.token(port, form))
  return tokens
}
