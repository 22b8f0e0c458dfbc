import { existsSync } from 'node:fs'
import { isJsonObject, type JsonObject } from '@holdfast/pop'
import { type ClientAuthentication, clientSecret, privateKeyJwt } from '@holdfast/pop/client/node'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { Failure } from './exit.ts'
import { readTextFile } from './input-file.ts'
import { readPrivateKey } from './private-key-file.ts'

/** How the command line says who a client is. */
export interface ClientCredentials {
  readonly secret?: string
  readonly secretFile?: string
  readonly assertionKey?: string
}

const developmentSettings = '.holdfast/holdfast.yaml'
const secretVariable = 'HOLDFAST_CLIENT_SECRET'

/** Adds the options by which a client authenticates. */
export function addCredentialOptions(command: Command): Command {
  return command
    .option('--secret <secret>', 'client secret; others can see it in the list of processes')
    .option('--secret-file <file>', `file of the client secret (or set ${secretVariable})`)
    .option('--assertion-key <file>', 'private key, PEM or JWK, that signs client assertions (private_key_jwt)')
}

/** How the client authenticates. None when nothing was said: a public client, or one whose certificate speaks for it. */
export async function authenticationOf({
  secret,
  secretFile,
  assertionKey,
}: ClientCredentials): Promise<ClientAuthentication | undefined> {
  if ([secret, secretFile, assertionKey].filter((each) => each !== undefined).length > 1)
    throw new Failure(2, 'Give one of --secret, --secret-file and --assertion-key.')
  if (assertionKey !== undefined) return await assertionBy(assertionKey)
  if (secretFile !== undefined) return clientSecret((await readTextFile(secretFile)).replace(/\r?\n$/, ''))
  const value = secret ?? process.env[secretVariable]
  return value === undefined || value === '' ? undefined : clientSecret(value)
}

/** The issuer that was named, or the one of the development server in this folder. */
export async function issuerOf(given: string | undefined): Promise<string> {
  const issuer = given ?? (await readDevelopment())?.issuer
  if (typeof issuer === 'string') return issuer
  throw new Failure(2, 'Name the authorization server with --issuer, such as --issuer https://localhost:5001')
}

/** The sample API of the development server in this folder, when there is one. */
export async function findSampleApi(): Promise<string | undefined> {
  const apis = (await readDevelopment())?.apis
  const first: unknown = Array.isArray(apis) ? apis[0] : undefined
  return isJsonObject(first) && typeof first.identifier === 'string' ? first.identifier : undefined
}

async function readDevelopment(): Promise<JsonObject | undefined> {
  const settings: unknown = existsSync(developmentSettings) ? parse(await readTextFile(developmentSettings)) : undefined
  return isJsonObject(settings) ? settings : undefined
}

async function assertionBy(file: string): Promise<ClientAuthentication> {
  const { key, alg, kid } = await readPrivateKey(file)
  try {
    return privateKeyJwt({ key: { ...key.export({ format: 'jwk' }) }, alg, ...(kid !== undefined && { kid }) })
  } catch (cause) {
    throw new Failure(66, `The key in ${file} signs no client assertions.`, cause)
  }
}
