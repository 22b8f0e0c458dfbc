import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { decodeBase64url, encodeBase64url } from '@holdfast/pop'
import { type Settings, SettingsError } from '../settings.ts'
import { synchronise } from './private-file.ts'

/**
 * Reads the keys that encrypt what is secret at rest: the first one seals, all open. Where there is only one and its
 * file is not there, it is made; while one replaces another all must be there, or each node would make its own.
 * @throws {@link SettingsError} when a file is missing, or holds something else
 */
export function loadEncryptionKeys({
  encryptionKey = '',
  otherEncryptionKeys,
}: Settings['keys']): readonly [Uint8Array, ...Uint8Array[]] {
  const others = otherEncryptionKeys.map((file) => requireKey(file, 'keys.otherEncryptionKeys'))
  const first = others.length > 0 ? requireKey(encryptionKey, 'keys.encryptionKey') : loadEncryptionKey(encryptionKey)
  return [first, ...others]
}

/**
 * Looks at the keys without making one.
 * @throws {@link SettingsError} when a start would find a file missing, or holding something else
 */
export function checkEncryptionKeys(keys: Settings['keys']): void {
  const { encryptionKey = '', otherEncryptionKeys } = keys
  if (otherEncryptionKeys.length > 0 || read(encryptionKey) !== undefined) loadEncryptionKeys(keys)
}

/**
 * Reads a key: 32 bytes in base64url. Made when the file is not there, readable for its owner only, and on the disk
 * before it is used; of several processes that make it, all get the same.
 * @throws {@link SettingsError} when the file holds something else
 */
export function loadEncryptionKey(file: string): Uint8Array {
  return parse(read(file) ?? create(file), file, 'keys.encryptionKey')
}

function requireKey(file: string, where: string): Uint8Array {
  const text = read(file)
  if (text !== undefined) return parse(text, file, where)
  throw new SettingsError(`${where}: the file ${file} is not there. Put it back, or remove it from the settings.`)
}

function parse(text: string, file: string, where: string): Uint8Array {
  const key = decodeBase64url(text.trim())
  if (key?.length === 32) return key
  throw new SettingsError(
    `${where}: the file ${file} does not hold 32 bytes in base64url. Restore it, or write the file of the right key.`,
  )
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined
    throw new SettingsError(`keys: the file ${file} cannot be read. Write the path of a readable file.`, { cause })
  }
}

function create(file: string): string {
  const draft = `${file}.${encodeBase64url(randomBytes(6))}`
  const text = `${encodeBase64url(randomBytes(32))}\n`
  writeFileSync(draft, text, { mode: 0o600, flag: 'wx', flush: true })
  try {
    linkSync(draft, file)
    synchronise(dirname(file))
    return text
  } catch (cause) {
    if (!hasCode(cause, 'EEXIST')) throw cause
    return readFileSync(file, 'utf8')
  } finally {
    rmSync(draft)
  }
}

function hasCode(cause: unknown, code: string): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === code
}
