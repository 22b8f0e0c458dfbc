import { stripTypeScriptTypes } from 'node:module'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pageHeaders } from '../pages/headers.ts'
import { readIfThere } from './pair.ts'
import { applicationLook, renderApplication } from './sample-application-view.ts'
import type { originsOf } from './seed.ts'

/** Where the sample browser application lies, on the origin of the sample web page. */
export const applicationPath = '/browser/'

/** A file of the application. */
export interface Served {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The modules that browsers load: those of the library, whose imports are as they stand, and the application's own. */
const library = import.meta.resolve('@holdfast/pop/client')
const application = import.meta.resolve(`./browser/application${import.meta.filename.endsWith('.ts') ? '.ts' : '.js'}`)

/**
 * Serves a page and modules, and does nothing else: keys, tokens and calls are the browser's. There is no bundle: the
 * sources are erasable TypeScript, and what is left of them without types runs as it stands.
 * @returns undefined when there is no such file
 */
export async function serveApplication(
  pathname: string,
  { issuer, api }: ReturnType<typeof originsOf>,
): Promise<Served | undefined> {
  if (pathname === applicationPath) {
    const headers = pageHeaders(applicationLook, { calls: [issuer, api] })
    return { headers, body: renderApplication({ issuer, api, script: `${applicationPath}${basename(application)}` }) }
  }
  const source = findSource(pathname.slice(applicationPath.length))
  const text = source && (await readIfThere(fileURLToPath(source)))
  return text === undefined ? undefined : { headers: scriptHeaders, body: scriptOf(text, source ?? '') }
}

const scriptHeaders = {
  'content-type': 'text/javascript; charset=utf-8',
  'cache-control': 'no-cache',
  'x-content-type-options': 'nosniff',
} as const

function findSource(path: string): string | undefined {
  if (path === basename(application)) return application
  const [, module] = /^pop\/((?:[a-z0-9-]+\/)*[a-z0-9-]+\.[jt]s)$/.exec(path) ?? []
  return module === undefined ? undefined : new URL(module, library).href
}

function scriptOf(text: string, source: string): string {
  const script = source.endsWith('.ts') ? stripTypeScriptTypes(text) : text
  return script.replace("from '@holdfast/pop/client'", `from './pop/${basename(library)}'`)
}
