import { createClientCertificate } from '@holdfast/pop/certificates'
import { ClientError, openBrowser, type SignedIn, signIn } from '@holdfast/pop/client/node'
import type { Command } from 'commander'
import { issuerOf } from './client-options.ts'
import { Failure } from './exit.ts'
import { type Asked, keepToken, renderKept } from './kept-token.ts'
import { addDpopOptions, chosenProofKey, type DpopOptions } from './proof-key.ts'
import { repeated } from './repeated.ts'
import { keepRefreshToken, sessionDirectory } from './session.ts'
import type { Terminal } from './terminal.ts'
import { caFor, caOption } from './trust.ts'

interface LoginOptions extends DpopOptions {
  readonly issuer?: string
  readonly client: string
  readonly scope: string
  readonly resource?: readonly string[]
  readonly prompt?: string
  readonly timeout: string
  readonly browser: boolean
  readonly ca?: string
  readonly json?: true
}

/** `holdfast login` */
export function defineLogin(command: Command, terminal: Terminal): void {
  command
    .requiredOption('--client <id>', 'client_id of a public, native client')
    .option('--issuer <url>', 'authorization server (default: the development server of this folder)')
    .option('--scope <scope>', 'scopes, separated by spaces', 'openid profile offline_access api1')
    .option('--resource <uri>', 'APIs that the token is for; may be repeated', repeated)
    .option('--prompt <prompt>', 'login, consent or select_account')
    .option('--ephemeral', 'make a certificate on the fly: what happens without --dpop')
  addDpopOptions(command)
    .option('--no-browser', 'open no browser: print the address')
    .option('--timeout <seconds>', 'how long to wait for the browser', '300')
    .option(...caOption)
    .option('--json', 'print the token response as JSON, with where its keys lie')
    .addHelpText(
      'after',
      `
Somebody signs in through a browser on this machine. The token alone is printed
to standard output. It is kept with its refresh token and what both are bound to
in ${sessionDirectory}/, readable by you only: call, steal and inspect use it.

  $ holdfast login --client native
  $ holdfast login --client native --dpop
  $ holdfast logout`,
    )
    .action(async (options: LoginOptions) => {
      const gotten = await login(options, terminal)
      if (options.json) terminal.out(JSON.stringify(gotten, null, 2))
      else {
        terminal.out(gotten.access_token)
        const { name, subject } = gotten
        terminal.note(renderKept(gotten, ['signed in', String(name ?? subject ?? 'somebody')], terminal))
      }
    })
}

/** Signs somebody in, and keeps what came of it as the session of this folder. */
async function login(options: LoginOptions, terminal: Terminal) {
  const { client, scope, resource, prompt } = options
  const patience = Number(options.timeout)
  if (!(patience > 0 && patience <= 3600)) throw new Failure(2, 'Write --timeout as seconds, 1 to 3600.')
  const issuer = await issuerOf(options.issuer)
  const proofKey = await chosenProofKey(options)
  const certificate = proofKey ? undefined : await createClientCertificate({ name: client, keyType: 'P-256' })
  const ca = await caFor(issuer, options.ca)
  const signedIn = signIn({
    issuer,
    client_id: client,
    scope,
    resource,
    prompt,
    patience,
    ...(certificate && { certificate }),
    ...(proofKey && { proofKey: proofKey.key }),
    ...(ca === undefined ? {} : { ca }),
    open: (url) => show(url, options.browser, terminal),
  })
  await using person = await signedIn.catch((cause: unknown) => {
    throw isStranger(cause) ? new Failure(1, needsPublic(client), cause) : cause
  })
  return await keep(person, { issuer, client, certificate, proofKey })
}

async function keep(person: SignedIn, asked: Asked) {
  const { name, preferred_username } = person.claims ? await person.userinfo() : {}
  const kept = await keepToken(await person.token(), asked)
  await keepRefreshToken(person.session.refresh_token)
  return { ...kept, subject: person.claims?.sub, name: name ?? preferred_username }
}

/** The server did not take the client as one that shows nothing. */
function isStranger(cause: unknown): boolean {
  return cause instanceof ClientError && (cause.error === 'invalid_client' || cause.error === 'unauthorized_client')
}

function needsPublic(client: string): string {
  return `login is for public clients, which have no secret, such as native of the development server; "${client}" is none that this server knows. A client with a secret gets a token of its own: holdfast token --help`
}

/** Prints the address in any case: the browser that the system opens may be on another screen. */
async function show(url: string, wantsBrowser: boolean, { note, style }: Terminal): Promise<void> {
  note(`${wantsBrowser ? 'Sign in with your browser. If it does not open' : 'To sign in'}, open this address:`)
  note(`\n  ${style.strong(url)}\n`)
  if (!wantsBrowser) return
  await openBrowser(url).catch((cause: unknown) => {
    if (!(cause instanceof ClientError)) throw cause
  })
}
