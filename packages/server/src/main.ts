import { hkdfSync } from 'node:crypto'
import { hostname } from 'node:os'
import { type Clock, createDpopContext, type Replay } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { openMetrics, openPeople, openReplay, openStore, openUpstreams } from './adapters.ts'
import { type Administration, createAdministration } from './administration/administration.ts'
import type { AdministrationContext } from './administration/administration-context.ts'
import { rotateOldKeys } from './administration/keys.ts'
import { createSigner } from './administration/signer.ts'
import { ensureSigningKeys } from './administration/signing-keys.ts'
import { createCounters } from './client-authentication/attempts.ts'
import { createClients } from './client-authentication/clients.ts'
import { createSecrets } from './client-authentication/secrets.ts'
import { createTurns } from './client-authentication/stretched.ts'
import type { Context } from './context.ts'
import { renewCertificates } from './http/certificate-renewal.ts'
import { createListeners } from './http/layout.ts'
import { createManagement } from './http/management.ts'
import type { Metrics } from './http/metrics.ts'
import { checksOf, createOperations } from './http/operations.ts'
import type { AuditEntry } from './model/audit.ts'
import { createClientKeys } from './outbound/client-keys.ts'
import { fetchJson } from './outbound/fetch-json.ts'
import { readFiles, readListeners } from './outbound/files.ts'
import { createTrust } from './outbound/trust-groups.ts'
import type { People } from './ports/people.ts'
import type { Report } from './ports/report.ts'
import type { Store } from './ports/store.ts'
import { nonceKeyOf } from './possession/dpop.ts'
import { parseSettings, type Settings, SettingsError, type SettingsInput, signingAlgorithmsOf } from './settings.ts'
import { loadEncryptionKey } from './store/encryption-key.ts'
import { createPairwise } from './tokens/subject.ts'

/** What the surroundings give to a server. */
export interface ServerOptions {
  /** What relative files in the settings are relative to. The working directory when left out. */
  readonly directory?: string
  readonly now?: Clock
  /** Where the application keeps its people, instead of `people.directory`. */
  readonly people?: People
  /** Told what happens: refusals, outages. Never a token, secret, key or proof. */
  readonly report?: (report: Report) => void
}

/** An authorization server on its own listeners. */
export interface AuthorizationServer {
  readonly issuer: string
  /** Opens the listeners. */
  listen(): Promise<void>
  /** Lets requests in flight finish, then closes listeners and store. */
  close(): Promise<void>
  /** The operator's commands. */
  readonly administration: Administration
}

/** How often expired rows are deleted, in milliseconds, and how many at once. */
const purgeInterval = 60_000
const purgeChunk = 1000

/** How often it is looked whether a signing key is old, in milliseconds. */
const rotationInterval = 3_600_000

/** Expired rows stay so long, in seconds: a clock that leaps ahead and is put back must not revive what was revoked. */
const purgeSlack = 600

/**
 * Makes an authorization server from settings: opens its store, makes missing signing keys, opens no port yet.
 *
 * @example
 * const server = await createAuthorizationServer(settings)
 * await server.listen()
 *
 * @throws {@link SettingsError} when the settings cannot be used
 */
export async function createAuthorizationServer(
  written: SettingsInput,
  options: ServerOptions = {},
): Promise<AuthorizationServer> {
  const { directory = process.cwd(), now = () => Math.floor(Date.now() / 1000) } = options
  const parsed = parseSettings(written)
  const settings = readFiles(parsed, directory)
  if (options.people && settings.people.directory.length > 0)
    throw new SettingsError('people.directory: the application brings its own people. Remove one of the two.')
  const metrics = await openMetrics(settings)
  const report = reporting(metrics, options)
  await using opened = new AsyncDisposableStack()
  const store = await openStore(settings.store, { now, report })
  opened.defer(() => store.close())
  const replay = await openReplay(settings.replay, { now, report })
  opened.defer(async () => replay?.close())
  const server = await assemble({
    settings,
    store: metrics ? metrics.observe(store) : store,
    replay,
    metrics,
    now,
    report,
    people: options.people,
    reread: () => readListeners(parsed.listen, directory),
  })
  const resources = opened.move()
  return {
    ...server,
    async close() {
      await server.close()
      await resources.disposeAsync()
    },
  }
}

/** Counts and tells. A log that fails must not decide about a request, nor end the process. */
function reporting(metrics: Metrics | undefined, { report }: ServerOptions): (report: Report) => void {
  return (each) => {
    metrics?.report(each)
    try {
      report?.(each)
    } catch {}
  }
}

interface Parts {
  readonly settings: Settings
  readonly store: Store
  readonly replay: Replay | undefined
  readonly metrics: Metrics | undefined
  readonly now: Clock
  readonly report: (report: Report) => void
  readonly people: People | undefined
  /** Reads the certificates of the listeners anew. */
  readonly reread: () => Settings['listen']
}

async function assemble(parts: Parts): Promise<AuthorizationServer> {
  const { settings, store, replay, metrics, now, report, people, reread } = parts
  await requireClientsApart(settings, store)
  const encryptionKey = loadEncryptionKey(settings.keys.encryptionKey ?? '')
  await ensureSigningKeys(store, signingAlgorithmsOf(settings), encryptionKey, now())
  const signer = await createSigner({ store, encryptionKey })
  const clients = createClients(settings.clients, store)
  const random = nodePrimitives.random
  const turns = createTurns()
  const { node = hostname() } = settings
  const auditKey = new Uint8Array(hkdfSync('sha256', encryptionKey, '', 'holdfast audit log', 32))
  const audit = (entry: AuditEntry) => ({ ...entry, time: now(), node, key: auditKey })
  const context: Context = {
    settings,
    now,
    primitives: nodePrimitives,
    store,
    signer,
    clients,
    trust: createTrust(settings.mutualTls.trustGroups, now),
    secrets: createSecrets(random, turns),
    people: people ?? (await openPeople(settings, { now, random, turns })),
    upstreams: await openUpstreams(settings),
    fetchKeys: createClientKeys(settings.outbound.allow, (url) => fetchJson(url, settings.outbound), now),
    ...createCounters(now, settings),
    pairwise: createPairwise(encryptionKey),
    dpop: createDpopContext(nonceKeyOf(encryptionKey), { now, primitives: nodePrimitives }),
    ...(replay && { replay }),
    audit,
    report,
  }
  const onClientsChanged = () => clients.forget()
  const administrationContext = { settings, store, signer, now, random, encryptionKey, audit, onClientsChanged }
  const administration = createAdministration(administrationContext)
  const listenings = createListeners(context, metrics?.watch)
  const listeners = Object.values(listenings)
  const renewing = renewCertificates(listenings, settings.listen, reread, { now, report })
  store.watch(() => {
    clients.forget()
    void signer.reload().catch((cause: unknown) => report({ level: 'error', event: 'keys_not_reloaded', cause }))
  })
  // Nodes that share a database are told of changes by it: their operators need no way into one of them.
  const management =
    settings.store.postgres === undefined
      ? [createManagement({ database: settings.store.file, administration, report })]
      : []
  const operations =
    settings.operations &&
    metrics &&
    createOperations({ ...settings.operations, checks: checksOf(context), metrics, served: renewing.served })
  const purge = setInterval(() => void purgeExpired(store, now() - purgeSlack), purgeInterval).unref()
  const rotation = rotateRegularly(administrationContext, report)

  return {
    issuer: settings.issuer,
    administration,
    async listen() {
      // One that opens late would escape close(): all are waited for before the first failure is told.
      const outcomes = await Promise.allSettled([...listeners, ...management].map((each) => each.listen()))
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failed) throw failed.reason
      await operations?.listen()
    },
    async close() {
      operations?.drain()
      clearInterval(purge)
      clearInterval(rotation)
      renewing.stop()
      await Promise.all([...listeners, ...management].map((each) => each.close()))
      await Promise.all(context.upstreams.map((each) => each.close()))
      await operations?.close()
    },
  }
}

/** A client is defined in one place. */
async function requireClientsApart({ clients }: Settings, store: Store): Promise<void> {
  for (const { client_id } of clients) {
    if (await store.findClient(client_id)) {
      throw new SettingsError(
        `clients: "${client_id}" is in the store too. Remove it here, or with "holdfast client remove ${client_id}".`,
      )
    }
  }
}

/** Looks whether a signing key has served its time: each hour, and once now. */
function rotateRegularly(context: AdministrationContext, report: (report: Report) => void): NodeJS.Timeout | undefined {
  const { rotateEvery } = context.settings.keys
  if (rotateEvery === 'never') return undefined
  const look = async (): Promise<void> => {
    try {
      const rotated = await rotateOldKeys(rotateEvery * 86_400, context)
      if (rotated.length > 0) report({ level: 'info', event: 'keys_rotated', seen: rotated.join(' ') })
    } catch (cause) {
      report({ level: 'error', event: 'keys_not_rotated', cause })
    }
  }
  void look()
  return setInterval(() => void look(), rotationInterval).unref()
}

async function purgeExpired(store: Store, before: number): Promise<void> {
  try {
    while ((await store.purge({ before, limit: purgeChunk })) >= purgeChunk);
  } catch {
    // the store reports its own failures
  }
}
