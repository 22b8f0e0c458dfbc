import { spawn } from 'node:child_process'
import { ClientError } from '../../client/client-error.ts'

/** A program that runs this long without failing has opened the page, in milliseconds. */
const patience = 3000

/**
 * Opens a page in the browser of whoever sits here.
 * @throws {@link ClientError} `browser_unavailable`
 */
export async function openBrowser(url: string): Promise<void> {
  const [program, ...before] = programOf(process.platform)
  const child = spawn(program, [...before, url], { stdio: 'ignore', detached: true })
  child.unref()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const overdue = setTimeout(resolve, patience)
  child.once('error', (cause) => reject(new ClientError('browser_unavailable', { detail: program, cause })))
  child.once('exit', (code) => (code === 0 ? resolve() : reject(new ClientError('browser_unavailable'))))
  try {
    await promise
  } finally {
    clearTimeout(overdue)
  }
}

function programOf(platform: NodeJS.Platform): readonly [string, ...string[]] {
  if (platform === 'darwin') return ['open']
  // `start` belongs to the command shell, which would read the address as commands.
  return platform === 'win32' ? ['rundll32', 'url.dll,FileProtocolHandler'] : ['xdg-open']
}
