import { parseJwt } from '@holdfast/pop'
import { createClientCertificate } from '@holdfast/pop/certificates'
import { ClientError, openBrowser, type SignedIn, signIn } from '@holdfast/pop/client/node'
import type { Command } from 'commander'
import { issuerOf } from './client-options.ts'
import { Failure } from './exit.ts'
import { renderDistance, systemNow } from './moment.ts'
import { repeated } from './repeated.ts'
import { programName } from './self.ts'
import { keepCertificate, keepRefreshToken, keepSession, sessionDirectory } from './session.ts'
import { harmless, renderTable, type Terminal } from './terminal.ts'
import { caFor, caOption } from './trust.ts'

interface LoginOptions {
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
    .option('--ephemeral', 'make a certificate on the fly: what happens anyway')
    .option('--no-browser', 'open no browser: print the address')
    .option('--timeout <seconds>', 'how long to wait for the browser', '300')
    .option(...caOption)
    .option('--json', 'print the token response as JSON, with where the certificate lies')
    .addHelpText(
      'after',
      `
Somebody signs in through a browser on this machine. The token alone is printed to
standard output. It is kept with its certificate and its refresh token in
${sessionDirectory}/, readable by you only, where call, steal and inspect find them.

  $ holdfast login --client native
  $ holdfast logout`,
    )
    .action(async (options: LoginOptions) => {
      const gotten = await login(options, terminal)
      if (options.json) terminal.out(JSON.stringify(gotten, null, 2))
      else {
        terminal.out(gotten.access_token)
        terminal.note(render(gotten, terminal))
      }
    })
}

type Gotten = Awaited<ReturnType<typeof login>>

/** Signs somebody in, and keeps what came of it as the session of this folder. */
async function login(options: LoginOptions, terminal: Terminal) {
  const { client: client_id, scope, resource, prompt } = options
  const patience = Number(options.timeout)
  if (!(patience > 0 && patience <= 3600)) throw new Failure(2, 'Write --timeout as seconds, 1 to 3600.')
  const issuer = await issuerOf(options.issuer)
  const pair = await createClientCertificate({ name: client_id, keyType: 'P-256' })
  const ca = await caFor(issuer, options.ca)
  await using person = await signIn({
    issuer,
    client_id,
    scope,
    resource,
    prompt,
    patience,
    certificate: pair,
    ...(ca === undefined ? {} : { ca }),
    open: (url) => show(url, options.browser, terminal),
  })
  return await keep(person, { issuer, client: client_id, pair })
}

interface Origin {
  readonly issuer: string
  readonly client: string
  readonly pair: { readonly certificate: string; readonly key: string; readonly thumbprint: string }
}

async function keep(person: SignedIn, { issuer, client, pair }: Origin) {
  const { name, preferred_username } = person.claims ? await person.userinfo() : {}
  const { access_token, token_type, scope, expires, confirmation } = await person.token()
  const files = await keepCertificate(pair)
  await keepSession({ issuer, client, token: access_token, ...files })
  await keepRefreshToken(person.session.refresh_token)
  return {
    access_token,
    token_type,
    expires_in: expires === undefined ? undefined : expires - systemNow(),
    scope,
    cnf: confirmation,
    form: parseJwt(access_token) ? 'JWT' : 'reference',
    thumbprint: pair.thumbprint,
    subject: person.claims?.sub,
    name: name ?? preferred_username,
    ...files,
  }
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

function render(gotten: Gotten, { style, columns }: Terminal): string {
  const { name, subject, thumbprint, certificate, scope, expires_in: expires } = gotten
  const rows = [
    ['signed in', String(name ?? subject ?? 'somebody')],
    ['bound to', `x5t#S256 ${thumbprint}`],
    ['certificate', certificate],
    ...(scope === undefined ? [] : [['scope', scope]]),
    ...(expires === undefined ? [] : [['expires', renderDistance(expires)]]),
    ['kept in', `${sessionDirectory}/`],
    ['next', `${programName()} call URL`],
  ]
  return renderTable(
    rows.map(([title = '', value = '']) => [style.dim(title), harmless(value)]),
    columns,
  )
}
