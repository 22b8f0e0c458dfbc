import { parseJwt } from '@holdfast/pop'
import type { Command } from 'commander'
import { type Heist, type TheftResult, tryThefts } from '../theft/heist.ts'
import { type Attempt, type Loot, worstOf } from '../theft/theft.ts'
import { httpsUrl } from './call.ts'
import { findSampleApi } from './client-options.ts'
import { Failure } from './exit.ts'
import { systemNow } from './moment.ts'
import { type PresentationOptions, presentationOf } from './presentation.ts'
import { harmless, renderTable, type Terminal } from './terminal.ts'
import { caFor, caOption } from './trust.ts'

interface StealOptions extends PresentationOptions {
  readonly ca?: string
  readonly json?: true
}

/** `holdfast steal` */
export function defineSteal(command: Command, terminal: Terminal): void {
  command
    .argument('[token]', "itself, @file, or - for standard input (default: the session's)")
    .argument('[url]', 'what to GET with it (default: the sample API of the development server)')
    .option('--cert <file>', 'PEM of the certificate that the token is bound to, when it is not the session')
    .option('--key <file>', 'PEM of its private key: only to open the session that the thief resumes')
    .option('--dpop-key <file>', 'the DPoP key that the token is bound to: only for the proofs that the thief captures')
    .option(...caOption)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
With the keys of the owner (the session has them) the owner's own request comes
first: if it is not answered, the refusals show nothing: exit 1. The thief gets
no key: the owner's makes the proofs that the thief captures.

  $ holdfast steal
  $ holdfast steal "$TOKEN" https://api.example.com/orders --ca ca.pem`,
    )
    .action(async (token: string | undefined, target: string | undefined, options: StealOptions) => {
      const [given, address] =
        target === undefined && token?.startsWith('https:') ? [undefined, token] : [token, target]
      const presentation = await presentationOf(given, options, terminal)
      const url = httpsUrl(address ?? (await sampleAddress()))
      requireFresh(presentation.token)
      const ca = await caFor(url.href, options.ca)
      const { proofKey, confirmation, ...stolen } = presentation
      const loot: Loot = {
        ...stolen,
        ...(proofKey && { proofKey: proofKey.key }),
        url,
        name: ownerOf(presentation.token),
        ...(ca === undefined ? {} : { ca }),
      }
      const heist = await tryThefts(loot)
      terminal.out(options.json ? JSON.stringify({ url: url.href, ...heist }, null, 2) : render(heist, terminal))
      if (!heist.safe) throw new Failure(1, verdictOn(heist))
      if (!options.json) terminal.out(`\n${terminal.style.good('Every theft that was tried is refused.')}`)
      if (!heist.owner) terminal.note(unowned)
    })
}

const unowned =
  "Whether the API answers the owner was not seen, since the owner's key is not known: give --cert and --key, or --dpop-key."

function render({ owner, thefts }: Heist, terminal: Terminal): string {
  const { style, columns } = terminal
  const rows = [
    ...(owner ? [ownerRow(owner, terminal)] : []),
    ...thefts.map((theft) => {
      const { says, outcome, attempts } = theft
      const paint = outcome === 'refused' ? style.good : outcome === 'untried' ? style.dim : style.bad
      const { status } = worstOf(attempts) ?? {}
      return [says, paint(outcome), status === undefined ? '' : String(status), harmless(answerOf(theft))]
    }),
  ]
  return renderTable([['what the thief sends', 'outcome', '', 'what the API says'].map(style.dim), ...rows], columns)
}

function ownerRow({ outcome, status, answer }: Attempt, { style }: Terminal): readonly string[] {
  const answered = outcome === 'admitted'
  const shown = answered ? style.good(outcome) : style.bad(outcome)
  return ['(the owner)', shown, String(status ?? ''), answered ? '' : harmless(answer)]
}

function answerOf({ against, outcome, attempts }: TheftResult): string {
  const worst = worstOf(attempts)
  if (!worst) return against === 'dpop' ? "needs the owner's key: --dpop-key" : "needs the owner's certificate: --cert"
  if (outcome === 'refused') return worst.answer
  return worst.variant === undefined ? worst.answer : `${worst.variant}: ${worst.answer}`
}

function verdictOn({ owner, thefts }: Heist): string {
  const stolen = thefts.filter(({ outcome }) => outcome === 'admitted').map(({ says }) => says)
  if (stolen.length > 0) return `The token can be stolen: ${stolen.join('; ')}. Does the API check the cnf claim?`
  if (owner && owner.outcome !== 'admitted')
    return 'The API does not answer the owner either, so the refusals show nothing. Get a new token, or name another address.'
  return 'Not every theft got a clear refusal: see the table. Name an address that answers the owner of the token with 200.'
}

async function sampleAddress(): Promise<string> {
  const api = await findSampleApi()
  if (api !== undefined) return `${api}/identity`
  throw new Failure(2, 'Name the address to GET: holdfast steal TOKEN URL')
}

function requireFresh(token: string): void {
  const exp = parseJwt(token)?.claims.exp
  if (typeof exp === 'number' && exp <= systemNow())
    throw new Failure(
      1,
      'The token has expired, so every refusal would show nothing. Get a new one: holdfast token --help',
    )
}

function ownerOf(token: string): string {
  const name = parseJwt(token)?.claims.client_id
  return typeof name === 'string' && name !== '' ? name.slice(0, 64) : 'client'
}
