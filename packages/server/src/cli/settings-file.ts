import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isJsonObject } from '@holdfast/pop'
import { parseDocument } from 'yaml'
import { SettingsError } from '../settings.ts'

/** Settings as somebody wrote them, and the folder that the files in them are relative to. */
export interface SettingsFile {
  readonly file: string
  readonly directory: string
  readonly written: unknown
}

const usual = ['holdfast.yaml', '.holdfast/holdfast.yaml']

/** The option of every command that needs settings. */
export const configOption = [
  '-c, --config <file>',
  `settings: YAML, JSON, or a TypeScript or JavaScript module with a default export (default: ${usual.join(', then ')})`,
] as const

/**
 * Reads settings, and judges nothing in them.
 * @throws {@link SettingsError} when there is no such file, or it is neither YAML nor a module
 */
export async function readSettingsFile(given: string | undefined): Promise<SettingsFile> {
  const file = resolve(given ?? usual.find((each) => existsSync(each)) ?? missing())
  const written = /^\.[cm]?[jt]s$/.test(extname(file)) ? await importSettings(file) : await parseYaml(file)
  return { file, directory: dirname(file), written }
}

async function importSettings(file: string): Promise<unknown> {
  const module: unknown = await import(pathToFileURL(file).href).catch((cause: unknown) => {
    throw new SettingsError(`${file}: the module cannot be loaded: ${reasonOf(cause)}`, { cause })
  })
  const written = isJsonObject(module) ? (module.default ?? module.settings) : undefined
  if (written === undefined)
    throw new SettingsError(`${file}: exports no settings. Write \`export default { issuer: ... }\`.`)
  return written
}

async function parseYaml(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    const why = missing ? 'there is no such file.' : `the settings cannot be read: ${reasonOf(cause)}`
    throw new SettingsError(`${file}: ${why}`, { cause })
  })
  const document = parseDocument(text)
  const [error] = document.errors
  if (error) {
    const where = error.linePos ? `:${error.linePos[0].line}:${error.linePos[0].col}` : ''
    throw new SettingsError(`${file}${where}: is not YAML: ${error.message.split(/ at line |\n/)[0]}.`)
  }
  return document.toJS() ?? {}
}

function missing(): never {
  throw new SettingsError(
    `There are no settings here (${usual.join(', ')}). Name a file with --config, or run \`holdfast dev\`.`,
  )
}

function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause)
  return text.split('\n')[0] ?? text
}
