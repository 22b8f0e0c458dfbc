import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { extname, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { parseCrls, parsePem } from '@holdfast/pop/certificates'
import { type Listener, type Settings, SettingsError } from '../settings.ts'
import type { TrustGroup } from './trust-groups.ts'

/** The settings with the files read that they name: certificates and keys are PEM texts, other files absolute. */
export function readFiles(settings: Settings, directory: string): Settings {
  const { listen, mutualTls, pages, store, replay, keys, outbound } = settings
  return {
    ...settings,
    listen: readListeners(listen, directory),
    mutualTls: {
      ...mutualTls,
      trustGroups: Object.fromEntries(
        Object.entries(mutualTls.trustGroups).map(([name, group]) => [
          name,
          readGroup(group, `mutualTls.trustGroups.${name}`, directory),
        ]),
      ),
    },
    pages: { ...pages, ...(pages.logo !== undefined && { logo: readLogo(resolve(directory, pages.logo)) }) },
    ...readStore(store, keys, directory),
    replay: { ...replay, ...(replay.redis && { redis: replay.redis.map((each) => readRedis(each, directory)) }) },
    outbound: {
      ...outbound,
      ...(outbound.ca !== undefined && { ca: readAuthorities(outbound.ca, 'outbound.ca', directory) }),
    },
  }
}

function readStore(
  store: Settings['store'],
  { encryptionKey, otherEncryptionKeys, ...rest }: Settings['keys'],
  directory: string,
): Pick<Settings, 'store' | 'keys'> {
  const keys = {
    ...rest,
    otherEncryptionKeys: otherEncryptionKeys.map((each) => resolve(directory, each)),
    ...(encryptionKey !== undefined && { encryptionKey: resolve(directory, encryptionKey) }),
  }
  if (store.postgres !== undefined)
    return { store: { ...store, postgres: readAddress(store.postgres, directory) }, keys }
  const file = resolve(directory, store.file)
  return { store: { file }, keys: { encryptionKey: `${file}.key`, ...keys } }
}

/** The address itself, or a file that holds it, since there is a password in it. */
function readAddress(written: string, directory: string): string {
  const address = findAddress(written, /^postgres(ql)?:$/, 'store.postgres', directory)
  if (address !== undefined) return address
  throw new SettingsError(
    'store.postgres: is no address of a database. Write postgres://user:password@host/database, or the file that holds that.',
  )
}

function readRedis(written: string, directory: string): string {
  const address = findAddress(written, /^rediss?:$/, 'replay.redis', directory)
  if (address !== undefined) return address
  throw new SettingsError(
    'replay.redis: is no address of a server. Write rediss://user:password@host:port, or the file that holds that.',
  )
}

function findAddress(written: string, protocol: RegExp, where: string, directory: string): string | undefined {
  const isAddress = (text: string) => URL.canParse(text) && protocol.test(new URL(text).protocol)
  if (isAddress(written)) return written
  // An address that is mistyped is no file either, whose name would be told: there is a password in it.
  if (written.includes('://')) return undefined
  const text = readText(resolve(directory, written), where).trim()
  return isAddress(text) ? text : undefined
}

/** The listeners with the files read that hold their certificates and keys. @throws {@link SettingsError} */
export function readListeners(listen: Settings['listen'], directory: string): Settings['listen'] {
  return {
    public: readListener(listen.public, 'listen.public', directory),
    ...(listen.mutualTls && { mutualTls: readListener(listen.mutualTls, 'listen.mutualTls', directory) }),
  }
}

function readListener(listener: Listener, where: string, directory: string): Listener {
  const certificate = readPem(listener.certificate, `${where}.certificate`, directory)
  const key = readPem(listener.key, `${where}.key`, directory)
  requirePair(certificate, key, where)
  return { ...listener, certificate, key }
}

function requirePair(cert: string, key: string, where: string): void {
  try {
    createSecureContext({ cert, key })
    // An empty text is no key, and stops nobody above.
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('the key is of another one')
  } catch (cause) {
    throw new SettingsError(
      `${where}: certificate and key cannot be used (${messageOf(cause)}). Write PEM files of a pair.`,
    )
  }
}

function readGroup({ ca, crl }: TrustGroup, where: string, directory: string): TrustGroup {
  const text = readAuthorities(ca, `${where}.ca`, directory)
  if (crl === undefined) return { ca: text }
  const path = resolve(directory, crl)
  const lists = readText(path, `${where}.crl`)
  try {
    parseCrls(lists)
  } catch {
    throw new SettingsError(`${where}.crl: ${path} holds no revocation list. Write a PEM file of X509 CRL blocks.`)
  }
  return { ca: text, crl: path }
}

function readAuthorities(value: string, where: string, directory: string): string {
  const text = readPem(value, where, directory)
  try {
    if (parsePem(text).length === 0) throw new Error('there is none')
  } catch (cause) {
    throw new SettingsError(`${where}: holds no CA certificates (${messageOf(cause)}). Write a PEM file of the CAs.`)
  }
  return text
}

/** A value that is a PEM text, or names a file that holds one. */
function readPem(value: string, where: string, directory: string): string {
  return value.includes('-----BEGIN ') ? value : readText(resolve(directory, value), where)
}

const images: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.svg': 'image/svg+xml',
}
const mostLogoBytes = 65_536

/** The image as a data: URL, so that pages fetch nothing. */
function readLogo(path: string): string {
  const type = images[extname(path).toLowerCase()]
  if (!type)
    throw new SettingsError(`pages.logo: ${path} is no image that is known. Write a PNG, JPEG, WebP or SVG file.`)
  const bytes = readBytes(path, 'pages.logo')
  if (bytes.length > mostLogoBytes)
    throw new SettingsError(`pages.logo: ${path} has ${bytes.length} bytes. Write a file of at most ${mostLogoBytes}.`)
  return `data:${type};base64,${bytes.toString('base64')}`
}

function readText(path: string, where: string): string {
  return readBytes(path, where).toString('utf8')
}

function readBytes(path: string, where: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new SettingsError(`${where}: ${path} cannot be read (${codeOf(cause)}). Write the path of a readable file.`)
  }
}

/** The system's code, since its message repeats the path. */
function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : messageOf(cause)
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
