import { existsSync } from 'node:fs'
import { readTextFile } from './input-file.ts'

const developmentCa = '.holdfast/tls/ca.pem'

/** The option of every command that opens a connection. */
export const caOption = [
  '--ca <file>',
  `PEM of the CAs to trust (default: ${developmentCa} for localhost, the system's otherwise)`,
] as const

/** The CAs for a server: those that were named, those of the development server on this machine, or the system's. */
export async function caFor(url: string, given: string | undefined): Promise<string | undefined> {
  if (given !== undefined) return await readTextFile(given)
  return isLoopback(url) && existsSync(developmentCa) ? await readTextFile(developmentCa) : undefined
}

function isLoopback(url: string): boolean {
  return URL.canParse(url) && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)
}
