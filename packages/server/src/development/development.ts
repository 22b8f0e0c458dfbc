import { join, resolve } from 'node:path'
import type { Clock } from '@holdfast/pop'
import { MutualTls } from '@holdfast/pop/client/node'
import { stringify } from 'yaml'
import { type AuthorizationServer, createAuthorizationServer } from '../main.ts'
import type { Report } from '../ports/report.ts'
import type { SettingsInput } from '../settings.ts'
import { type Credentials, keepCredentials } from './credentials.ts'
import { writePrivately } from './pair.ts'
import { createSampleApi } from './sample-api.ts'
import { createSamplePage } from './sample-page.ts'
import { developmentSettings, originsOf, type Ports } from './seed.ts'

/** The development servers: issuer, its mTLS listener, the sample API and the sample web page, all on loopback. */
export interface Development {
  readonly directory: string
  readonly origins: ReturnType<typeof originsOf>
  readonly credentials: Credentials
  close(): Promise<void>
}

/** What development is started with. */
export interface DevelopmentOptions {
  /** Holds everything that development keeps. Made when it is not there. */
  readonly directory: string
  readonly ports: Ports
  /** Issuer and API ask for a nonce in every DPoP proof. RFC 9449 §8, §9. */
  readonly nonces?: boolean
  readonly report?: (report: Report) => void
  readonly now?: Clock
}

/**
 * Starts the development servers. What a folder holds already is kept: keys, certificates, clients and tokens.
 * The settings are written beside them, so that they can be read, and served by `holdfast serve`.
 */
export async function startDevelopment({
  directory,
  ports,
  nonces = false,
  report,
  now = systemNow,
}: DevelopmentOptions): Promise<Development> {
  const place = resolve(directory)
  const credentials = await keepCredentials(place, now())
  const settings = developmentSettings(ports, credentials, nonces)
  await writePrivately(join(place, '.gitignore'), '*\n')
  const origins = originsOf(ports)
  const connections = new MutualTls({ ca: credentials.ca.certificate })
  const server = await createAuthorizationServer(settings, { directory: place, now, ...(report ? { report } : {}) })
  const api = createSampleApi({
    issuer: origins.issuer,
    identifier: origins.api,
    web: origins.web,
    nonces,
    server: credentials.server,
    fetch: connections.fetch,
  })
  const page = createSamplePage({ origins, credentials, strangersFetch: connections.fetch })
  const close = async () => {
    await Promise.allSettled([page.close(), api.close(), server.close()])
    await connections.close()
  }
  await listenAll([server, api, page]).catch(async (cause: unknown) => {
    await close()
    throw cause
  })
  // Only now: a start that failed, since another server runs here, leaves that one's settings alone.
  await writePrivately(join(place, 'holdfast.yaml'), yamlOf(settings))
  return { directory: place, origins, credentials, close }
}

async function listenAll(servers: readonly Pick<AuthorizationServer, 'listen'>[]): Promise<void> {
  const outcomes = await Promise.allSettled(servers.map((server) => server.listen()))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

function yamlOf(settings: SettingsInput): string {
  return `# Written by \`holdfast dev\` at every start: to change something, copy this file and serve the copy with
#   holdfast serve --config COPY
# The secrets in it are for development only.
${stringify(settings, { lineWidth: 0 })}`
}

function systemNow(): number {
  return Math.floor(Date.now() / 1000)
}
