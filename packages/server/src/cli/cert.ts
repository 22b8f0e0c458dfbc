import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  type CertificatePair,
  createCertificateAuthority,
  createClientCertificate,
  factsOf,
  formatDistinguishedName,
  issueCertificate,
  type KeyType,
  keyTypes,
  parseDistinguishedName,
  thumbprintSpellings,
} from '@holdfast/pop/certificates'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { writePrivately } from '../development/pair.ts'
import { renderCertificate } from './certificate-facts.ts'
import { Failure } from './exit.ts'
import { readCertificateFile, readTextFile } from './input-file.ts'
import { repeated } from './repeated.ts'
import { renderTable, type Terminal } from './terminal.ts'

interface NewOptions {
  readonly name: string
  readonly keyType?: KeyType
  readonly days: number
  readonly out?: string
  readonly force?: true
  readonly json?: true
}

interface LeafOptions extends NewOptions {
  readonly ca?: string
  readonly caKey?: string
  readonly dns?: readonly string[]
  readonly uri?: readonly string[]
  readonly ip?: readonly string[]
  readonly email?: readonly string[]
  readonly server?: true
}

/** `holdfast cert new|ca|thumbprint|inspect` */
export function defineCert(command: Command, terminal: Terminal): void {
  newOptions(
    command
      .command('new')
      .description('Make a certificate and its key: a client certificate, self-signed unless --ca is given.'),
    10,
  )
    .option('--ca <file>', 'PEM of the CA that signs')
    .option('--ca-key <file>', 'PEM of its private key')
    .option('--dns <name>', 'DNS names; may be repeated', repeated)
    .option('--uri <uri>', 'URIs; may be repeated', repeated)
    .option('--ip <address>', 'IP addresses; may be repeated', repeated)
    .option('--email <address>', 'e-mail addresses; may be repeated', repeated)
    .option('--server', 'for a server instead of a client')
    .addHelpText(
      'after',
      `
  $ holdfast cert new --name client                     client.pem and client.key
  $ holdfast cert new --name CN=client,O=Example --ca ca.pem --ca-key ca.key
  $ holdfast cert new --name localhost --server --dns localhost --ip 127.0.0.1 \\
      --ca ca.pem --ca-key ca.key`,
    )
    .action(async (options: LeafOptions) => keep(await makeLeaf(options), options, terminal))

  newOptions(command.command('ca').description('Make a certificate authority and its key.'), 3650)
    .addHelpText('after', '\n  $ holdfast cert ca --name "Example client CA" --out client-ca')
    .action(async (options: NewOptions) => {
      const { name, days, keyType = 'P-256' } = options
      await keep(
        await createCertificateAuthority({ name: subjectOf(name), days, keyType, pathLength: 0 }),
        options,
        terminal,
      )
    })

  command
    .command('thumbprint')
    .description('Print the thumbprint of a certificate in every spelling that people meet, the one of cnf first.')
    .argument('<file>', 'certificate, PEM or DER')
    .option('--json', 'print JSON')
    .addHelpText('after', '\n  $ holdfast cert thumbprint client.pem')
    .action(async (file: string, { json }: { json?: true }) => {
      const spellings = thumbprintSpellings((await readCertificateFile(file)).der)
      const { style } = terminal
      const marks = { 'x5t#S256': style.good('x5t#S256'), same: 'same', wrong: style.bad('not it') }
      terminal.out(
        json
          ? JSON.stringify(spellings, null, 2)
          : renderTable(
              spellings.map(({ name, value, use }) => [marks[use], name, value]),
              terminal.columns,
            ),
      )
    })

  command
    .command('inspect')
    .description('Print what a certificate says, and what it can be used for.')
    .argument('<file>', 'certificate, PEM or DER')
    .option('--json', 'print JSON')
    .action(async (file: string, { json }: { json?: true }) => {
      terminal.out(renderCertificate((await readCertificateFile(file)).der, json, terminal))
    })
}

function newOptions(command: Command, days: number): Command {
  return command
    .requiredOption('--name <name>', 'common name, or a whole name such as CN=client,O=Example')
    .addOption(new Option('--key-type <type>', 'kind of key').choices(keyTypes))
    .option('--days <days>', 'how long it is good', parseDays, days)
    .option('--out <prefix>', 'writes PREFIX.pem and PREFIX.key (default: the common name)')
    .option('--force', 'overwrite what is there')
    .option('--json', 'print JSON')
}

async function makeLeaf(options: LeafOptions): Promise<CertificatePair> {
  const { name, days, keyType = 'RSA', ca, caKey, dns, uri, ip, email, server } = options
  if ((ca === undefined) !== (caKey === undefined)) throw new Failure(2, 'Give --ca and --ca-key together.')
  const isPlain = ca === undefined && !server && !dns && !uri && !ip && !email && !name.includes('=')
  if (isPlain) return await createClientCertificate({ name, days, keyType })
  const issuer =
    ca === undefined || caKey === undefined
      ? undefined
      : { certificate: (await readCertificateFile(ca)).pem, key: await readTextFile(caKey) }
  return await issueCertificate({
    subject: subjectOf(name),
    days,
    keyType,
    keyUsage: keyType === 'RSA' ? ['digitalSignature', 'keyEncipherment'] : ['digitalSignature'],
    extendedKeyUsage: [server ? 'serverAuth' : 'clientAuth'],
    ...(issuer ? { issuer } : {}),
    ...(dns ? { dns } : {}),
    ...(uri ? { uris: uri } : {}),
    ...(ip ? { ips: ip } : {}),
    ...(email ? { emails: email } : {}),
  })
}

function subjectOf(name: string) {
  if (!name.includes('=')) return name
  const parsed = parseDistinguishedName(name)
  if (!parsed) throw new Failure(2, `--name: "${name}" is no name as RFC 4514 writes it, such as CN=client,O=Example`)
  return parsed
}

async function keep(pair: CertificatePair, { out, force, json }: NewOptions, { out: print, columns }: Terminal) {
  const x509 = new X509Certificate(pair.certificate)
  const prefix = out ?? fileName(/^CN=(.+)$/m.exec(x509.subject)?.[1] ?? 'certificate')
  const files = { certificate: `${prefix}.pem`, key: `${prefix}.key` }
  const taken = Object.values(files).find((file) => existsSync(file))
  if (taken !== undefined && !force)
    throw new Failure(1, `${taken} is there already: choose another --out, or add --force.`)
  await writePrivately(files.key, pair.key)
  await writePrivately(files.certificate, pair.certificate, 0o644)
  const { notAfter } = factsOf(x509.raw)
  const subject = formatDistinguishedName(x509.raw) ?? ''
  if (json) return print(JSON.stringify({ ...files, subject, 'x5t#S256': pair.thumbprint, notAfter }, null, 2))
  const rows = [
    ['certificate', files.certificate],
    ['key', files.key],
    ['subject', subject],
    ['x5t#S256', pair.thumbprint],
  ]
  print(renderTable(rows, columns))
}

function fileName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+/, '') || 'certificate'
}

function parseDays(text: string): number {
  const days = Number(text)
  if (!(days > 0 && days <= 36_500)) throw new InvalidArgumentError('Write a number of days, at most 36500.')
  return days
}
