import { type Command, InvalidArgumentError } from 'commander'
import { type Development, startDevelopment } from '../development/development.ts'
import { StoreOwned } from '../store/sqlite/owner.ts'
import { issuerOf } from './client-options.ts'
import { Failure } from './exit.ts'
import { programName } from './self.ts'
import { untilStopped } from './stopped.ts'
import { harmless, renderTable, type Terminal } from './terminal.ts'

/** Where everything of development lies, and nowhere else. */
const directory = '.holdfast'

/** `holdfast dev` */
export function defineDev(command: Command, terminal: Terminal): void {
  command
    .option('-p, --port-base <number>', 'listens on the four ports that follow', parsePortBase, 5000)
    .option('--nonces', 'issuer and API ask for a nonce in every DPoP proof')
    .option('--json', 'print where everything is as one line of JSON')
    .addHelpText(
      'after',
      `
A second start keeps everything: CA, keys, clients, tokens.
To begin anew, remove ./.holdfast

  $ holdfast dev
  $ holdfast dev --port-base 6000     https://localhost:6001 to 6004`,
    )
    .action(async ({ portBase, nonces, json }: { portBase: number; nonces?: true; json?: true }) => {
      const ports = { issuer: portBase + 1, mutualTls: portBase + 2, api: portBase + 3, web: portBase + 4 }
      const starting = startDevelopment({
        directory,
        ports,
        ...(nonces && { nonces }),
        report({ level, event, reason, client, seen }) {
          if (level !== 'info' || reason !== undefined)
            terminal.note(oneLine([event, reason, client, seen].filter((part) => part !== undefined).join(' ')))
        },
      })
      const development = await starting.catch(async (cause: unknown) => {
        throw cause instanceof StoreOwned ? new Failure(69, await runningHere(cause), cause) : cause
      })
      const { origins } = development
      terminal.out(
        json ? JSON.stringify({ ...origins, directory: development.directory }) : welcome(development, terminal),
      )
      try {
        await untilStopped()
      } finally {
        await development.close()
      }
    })
}

/** A second start in one folder: nothing is wrong with the store. */
async function runningHere({ pid }: StoreOwned): Promise<string> {
  const issuer = await issuerOf(undefined).catch(() => undefined)
  const where = [issuer, pid === undefined ? undefined : `process ${pid}`]
    .filter((part) => part !== undefined)
    .join(', ')
  return `A server runs in this folder already${where && `: ${where}`}. Use that one, stop it, or start this one in another folder, with another --port-base.`
}

function welcome({ origins: { issuer, mutualTls, api, web } }: Development, { columns, style }: Terminal): string {
  const holdfast = programName()
  const places = renderTable(
    [
      ['issuer', issuer],
      ['mTLS', `${mutualTls}   asks for client certificates`],
      ['sample API', `${api}   GET /identity, scope api1`],
      ['web page', `${web}   for browsers: signs in and calls the API`],
      ['', `${web}/browser/   the same without a back end`],
      ['CA', `${directory}/tls/ca.pem`],
      ['settings', `${directory}/holdfast.yaml`],
    ],
    columns,
    '  ',
  )
  const clients = renderTable(
    [
      ['client', 'secret "secret"; bound to any certificate or DPoP key that it shows'],
      ['reference', 'secret "secret"; reference tokens'],
      ['mtls', `--cert ${directory}/tls/mtls.pem --key ${directory}/tls/mtls.key`],
      ['pinned', `--cert ${directory}/tls/pinned.pem --key ${directory}/tls/pinned.key`],
      ['assertion', `--assertion-key ${directory}/assertion.key`],
      ['api1', 'secret "api1-secret"; introspects for the sample API'],
      ['native', 'public: an application on this machine, for people'],
      ['web', 'secret "web-secret": the web page, for people'],
      ['browser', 'public: the same without a back end; DPoP-bound tokens only'],
      ['device', 'public: a device without a browser, for people'],
    ],
    columns,
    '  ',
  )
  const identity = `${api}/identity`
  const secure = `--cacert ${directory}/tls/ca.pem --cert c.pem --key c.key`
  return `${style.strong('Holdfast development server')}

${places}

${style.strong('Clients')}

${clients}

${style.strong('People')}

  alice, password "alice"; bob, password "bob"

${style.strong('Try it, in another terminal in this folder')}

  ${holdfast} token --client client --secret secret --scope api1
  ${holdfast} call ${identity}
  ${holdfast} steal

${style.strong('The same with DPoP: a proof for each request instead of a certificate')}

  ${holdfast} token --client client --secret secret --scope api1 --dpop
  ${holdfast} call ${identity}
  ${holdfast} steal

${style.strong('For somebody who signs in; call and steal as above')}

  ${holdfast} login --client native
  ${holdfast} login --client native --dpop

${style.strong('With openssl and curl')}

  openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=client -days 10 \\
    -keyout c.key -out c.pem
  TOKEN=$(curl -s ${secure} \\
    -d 'grant_type=client_credentials&client_id=client&client_secret=secret' \\
    -d scope=api1 ${mutualTls}/token \\
    | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl ${secure} \\
    -H "Authorization: Bearer $TOKEN" ${identity}

Ctrl+C stops it. A second start keeps everything.`
}

/** Whoever sends a request chooses the name in the report of its refusal. */
function oneLine(text: string): string {
  return harmless(text).replace(/\s/g, ' ')
}

function parsePortBase(text: string): number {
  const base = Number(text)
  if (!Number.isInteger(base) || base < 0 || base > 65_531)
    throw new InvalidArgumentError('Write a number from 0 to 65531.')
  return base
}
