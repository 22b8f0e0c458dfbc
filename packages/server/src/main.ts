import { hostname } from 'node:os'
import { type Clock, createDpopContext, type Replay } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import {
  openMetrics,
  openOperations,
  openPeople,
  openReplay,
  openStore,
  openTracing,
  openUpstreams,
} from './adapters.ts'
import { type Administration, createAdministration } from './administration/administration.ts'
import type { AdministrationContext } from './administration/administration-context.ts'
import { rotateOldKeys } from './administration/keys.ts'
import { absentSigner, adoptSigner } from './administration/outside-signer.ts'
import { namesOfOutdated } from './administration/resealing.ts'
import { createSealing } from './administration/sealing.ts'
import { deriveKey, ensureServerSecret } from './administration/server-secret.ts'
import { createSigner } from './administration/signer.ts'
import { ensureSigningKeys } from './administration/signing-keys.ts'
import { createSuspicions } from './administration/suspicions.ts'
import { createCounters } from './client-authentication/attempts.ts'
import { createClients } from './client-authentication/clients.ts'
import { createSecrets } from './client-authentication/secrets.ts'
import { createTurns } from './client-authentication/stretched.ts'
import type { Context } from './context.ts'
import { type Listenings, renewCertificates } from './http/certificate-renewal.ts'
import { createListeners } from './http/layout.ts'
import { createManagement } from './http/management.ts'
import type { ListenerFigures, Metrics } from './http/metrics.ts'
import { needsOf, createProbes, type Probes } from './http/probes.ts'
import type { Tracing } from './http/tracing.ts'
import { version } from './http/version.ts'
import type { AuditEntry } from './model/audit.ts'
import { createClientKeys } from './outbound/client-keys.ts'
import { fetchJson } from './outbound/fetch-json.ts'
import { readFiles, readListeners } from './outbound/files.ts'
import { createTrust } from './outbound/trust-groups.ts'
import type { People } from './ports/people.ts'
import type { Report } from './ports/report.ts'
import type { OutsideSigner, Signer } from './ports/signer.ts'
import type { Store } from './ports/store.ts'
import { parseSettings, type Settings, SettingsError, type SettingsInput, signingAlgorithmsOf } from './settings.ts'
import { loadEncryptionKeys } from './store/encryption-key.ts'
import { purgeRegularly } from './store/purging.ts'
import { createPairwise } from './tokens/subject.ts'

/** What the surroundings give to a server. */
export interface ServerOptions {
  /** What relative files in the settings are relative to. The working directory when left out. */
  readonly directory?: string
  readonly now?: Clock
  /** Where the application keeps its people, instead of `people.directory`. */
  readonly people?: People
  /** Signs tokens with keys that are not kept here: in a KMS or an HSM. Then none are made, and none rotate. */
  readonly signer?: OutsideSigner
  /** Who has started this process to run commands in it: named in the audit log. */
  readonly operator?: string
  /** Told what happens: refusals, outages. Never a token, secret, key or proof. */
  readonly report?: (report: Report) => void
  /** So long it waits at the start for a PostgreSQL that does not answer yet, in seconds: 0 when left out. */
  readonly patience?: number
  /** Where another process answers for this one: it gets the probes, and no listener for operations is opened. */
  readonly supervised?: (probes: Probes) => void
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

/** How often it is looked whether suspicions that were only counted are to be recorded, in milliseconds. */
const settleInterval = 10_000

/** How often it is looked whether a signing key is old, in milliseconds. */
const rotationInterval = 3_600_000

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
  const { signer } = options
  const settings = { ...readFiles(parsed, directory), ...(signer && { signsWith: signer.algorithms }) }
  if (options.people && settings.people.directory.length > 0)
    throw new SettingsError('people.directory: the application brings its own people. Remove one of the two.')
  const metrics = await openMetrics(settings)
  const report = reporting(metrics, settings, options)
  const tracing = await openTracing(settings, report)
  await using opened = new AsyncDisposableStack()
  const store = await openStore(settings.store, { now, report, patience: options.patience ?? 0 })
  opened.defer(() => store.close())
  const replay = await openReplay(settings.replay, { now, report })
  opened.defer(async () => replay?.close())
  const server = await assemble({
    settings,
    store: observed(store, settings, { metrics, tracing }),
    replay,
    metrics,
    tracing,
    supervised: options.supervised,
    now,
    report,
    people: options.people,
    operator: options.operator,
    signer,
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

function observed(store: Store, settings: Settings, { metrics, tracing }: Pick<Parts, 'metrics' | 'tracing'>): Store {
  const system = settings.store.postgres === undefined ? 'sqlite' : 'postgresql'
  const counted = metrics ? metrics.observe(store) : store
  return tracing ? tracing.observeStore(counted, system) : counted
}

/** Counts and tells. A log that fails must not decide about a request, nor end the process. */
function reporting(
  metrics: Metrics | undefined,
  { log }: Settings,
  { report }: ServerOptions,
): (report: Report) => void {
  return (each) => {
    metrics?.report(each)
    if (each.event === 'answered' && log.requests === 'refused') return
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
  readonly tracing: Tracing | undefined
  readonly supervised: ServerOptions['supervised']
  readonly now: Clock
  readonly report: (report: Report) => void
  readonly people: People | undefined
  readonly operator: string | undefined
  readonly signer: OutsideSigner | undefined
  /** Reads the certificates of the listeners anew. */
  readonly reread: () => Settings['listen']
}

async function assemble(parts: Parts): Promise<AuthorizationServer> {
  const { settings, store, replay, metrics, tracing, supervised, now, report, people, operator, reread } = parts
  await requireClientsApart(settings, store)
  const random = nodePrimitives.random
  const sealing = createSealing(loadEncryptionKeys(settings.keys), random)
  const secret = await ensureServerSecret({ store, sealing, random })
  await warnOutdated({ store, sealing, secret }, report)
  using adopted = new DisposableStack()
  const signer = parts.signer
    ? adopted.use(await adoptSigner(parts.signer, { settings, primitives: nodePrimitives, now, report }))
    : await openSigner({ settings, store, sealing, now })
  const clients = createClients(settings.clients, store)
  const turns = createTurns()
  const { node = hostname() } = settings
  const auditKey = deriveKey(secret, 'audit log')
  const audit = (entry: AuditEntry) => ({ ...entry, time: now(), node, key: auditKey })
  const suspicions = createSuspicions({ store, audit, now, report })
  const counting = createCounters(settings, { store, now, report })
  const context: Context = {
    settings,
    now,
    primitives: nodePrimitives,
    store,
    signer,
    clients,
    trust: createTrust(settings.mutualTls.trustGroups, now),
    secrets: createSecrets(random, turns),
    people: people ?? (await openPeople(settings, { random, turns, attempts: counting.passwords })),
    upstreams: await openUpstreams(settings),
    fetchKeys: createClientKeys(settings.outbound.allow, (url) => fetchJson(url, settings.outbound), now),
    ...counting.counters,
    pairwise: createPairwise(deriveKey(secret, 'pairwise subjects')),
    dpop: createDpopContext(deriveKey(secret, 'DPoP nonces'), { now, primitives: nodePrimitives }),
    ...(replay && { replay }),
    audit,
    report: (each) => {
      report(each)
      suspicions.note(each)
    },
  }
  const onClientsChanged = () => clients.forget()
  const signsOutside = parts.signer !== undefined || settings.keys.signer === 'application'
  const own = { settings, store, signer, signsOutside, sealing, secret }
  const administrationContext = { ...own, now, random, auditKey, audit: naming(operator, audit), onClientsChanged }
  const administration = createAdministration(administrationContext)
  const listenings = createListeners(tracing ? tracing.observe(context) : context, tracing)
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
  const probes = createProbes(
    needsOf(context),
    async () => (await metrics?.read(await figuresOf(listenings, renewing.served()))) ?? [],
  )
  supervised?.(probes)
  const operations = supervised ? undefined : await openOperations(settings.operations, probes)
  const purging = purgeRegularly(store, now)
  const settling = setInterval(() => suspicions.settle(), settleInterval).unref()
  const rotation = signsOutside ? undefined : rotateRegularly(administrationContext, report)
  const signing = adopted.move()
  const details = { version, pid: process.pid }
  let started = false
  const recordStop = () =>
    store
      .recordAudit(audit({ event: 'server_stopped', actor: 'server', details }))
      .catch((cause: unknown) => report({ level: 'error', event: 'audit_not_recorded', cause }))

  return {
    issuer: settings.issuer,
    administration,
    async listen() {
      if (signer === absentSigner)
        throw new SettingsError(
          'keys.signer: is "application", and no application brings one. Start the server from there, or write own.',
        )
      // One that opens late would escape close(): all are waited for before the first failure is told.
      const outcomes = await Promise.allSettled([...listeners, ...management].map((each) => each.listen()))
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failed) throw failed.reason
      await operations?.listen()
      await store.recordAudit(audit({ event: 'server_started', actor: 'server', details }))
      started = true
      probes.enter('serving')
    },
    async close() {
      probes.enter('draining')
      counting.stop()
      purging.stop()
      clearInterval(rotation)
      clearInterval(settling)
      signing.dispose()
      renewing.stop()
      await Promise.all([...listeners, ...management].map((each) => each.close()))
      await Promise.all(context.upstreams.map((each) => each.close()))
      await operations?.close()
      await suspicions.close()
      if (started) await recordStop()
    },
  }
}

/** The commands of a process of its own say who has started it. */
function naming(operator: string | undefined, audit: Context['audit']): Context['audit'] {
  if (operator === undefined) return audit
  return (entry) => audit(entry.actor === 'operator' ? { ...entry, actor: `operator:${operator}` } : entry)
}

async function figuresOf(
  listenings: Listenings,
  served: Settings['listen'],
): Promise<Readonly<Record<string, ListenerFigures>>> {
  const figures: Record<string, ListenerFigures> = {}
  for (const name of ['public', 'mutualTls'] as const) {
    const certificate = served[name]?.certificate
    const connections = await listenings[name]?.connections()
    if (certificate !== undefined && connections !== undefined) figures[name] = { certificate, connections }
  }
  return figures
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

/** Signs with keys of the store, where those that are missing are made first. */
async function openSigner({
  settings,
  store,
  sealing,
  now,
}: Pick<AdministrationContext, 'settings' | 'store' | 'sealing' | 'now'>): Promise<Signer> {
  if (settings.keys.signer === 'application') return absentSigner
  await ensureSigningKeys(store, signingAlgorithmsOf(settings), sealing, now())
  return await createSigner({ store, sealing })
}

/** What is sealed under a key that is to go would be lost with it. */
async function warnOutdated(
  context: Pick<AdministrationContext, 'store' | 'sealing' | 'secret'>,
  report: (report: Report) => void,
): Promise<void> {
  const names = await namesOfOutdated(context)
  if (names.length > 0) report({ level: 'warn', event: 'keys_not_resealed', seen: names.join(' ') })
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
