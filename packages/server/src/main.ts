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
import { createSuspicions, type Suspicions } from './administration/audit/suspicions.ts'
import { requireClientsApart } from './administration/clients.ts'
import { absentSigner } from './administration/keys/outside-signer.ts'
import { rotateRegularly } from './administration/keys/rotating.ts'
import { deriveKey } from './administration/keys/server-secret.ts'
import { createCounters } from './client-authentication/attempts.ts'
import { createClients } from './client-authentication/clients.ts'
import { createSecrets } from './client-authentication/secrets.ts'
import { createTurns } from './client-authentication/stretched.ts'
import type { Context } from './context.ts'
import { renewCertificates } from './http/certificate-renewal.ts'
import { createListeners, figuresOf } from './http/layout.ts'
import { createManagement } from './http/management.ts'
import type { Metrics } from './http/operations/metrics.ts'
import { createProbes, needsOf, type Probes } from './http/operations/probes.ts'
import type { Tracing } from './http/operations/tracing.ts'
import { type Keyring, openKeyring } from './keyring.ts'
import type { AuditEntry } from './model/audit.ts'
import { createClientKeys } from './outbound/client-keys.ts'
import { fetchJson } from './outbound/fetch-json.ts'
import { readFiles, readListeners } from './outbound/files.ts'
import { createTrust } from './outbound/trust-groups.ts'
import type { People } from './ports/people.ts'
import type { Report } from './ports/report.ts'
import type { OutsideSigner } from './ports/signer.ts'
import type { Store } from './ports/store.ts'
import { parseSettings, type Settings, SettingsError, type SettingsInput } from './settings.ts'
import { purgeRegularly } from './store/purging.ts'
import { createPairwise } from './tokens/subject.ts'
import { version } from './version.ts'

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
  /** How many lines were lost so far of the log that `report` writes, for the figures. */
  readonly lostLines?: () => number
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
    now,
    report,
    options,
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
  readonly now: Clock
  readonly report: (report: Report) => void
  readonly options: ServerOptions
  /** Reads the certificates of the listeners anew. */
  readonly reread: () => Settings['listen']
}

async function assemble(parts: Parts): Promise<AuthorizationServer> {
  const { settings, store, metrics, tracing, now, report, reread, options } = parts
  await requireClientsApart(settings, store)
  await using opened = new AsyncDisposableStack()
  const keyring = opened.use(await openKeyring(options.signer, parts))
  const { context, suspicions } = await createContext(parts, keyring, opened)
  const administrationContext = createAdministrationContext(context, keyring, options)
  const administration = createAdministration(administrationContext)
  const listenings = createListeners(tracing ? tracing.observe(context) : context, tracing)
  const renewing = renewCertificates(listenings, settings.listen, reread, { now, report })
  store.watch(() => {
    context.clients.forget()
    void context.signer
      .reload()
      .catch((cause: unknown) => report({ level: 'error', event: 'keys_not_reloaded', cause }))
  })
  const probes = createProbes(
    needsOf(context),
    async () => (await metrics?.read(await figuresOf(listenings, renewing.served()), options.lostLines?.() ?? 0)) ?? [],
  )
  options.supervised?.(probes)
  const operations = options.supervised ? undefined : await openOperations(settings.operations, probes)
  // Nodes that share a database are told of changes by it: their operators need no way into one of them.
  const management =
    settings.store.postgres === undefined
      ? [createManagement({ database: settings.store.file, administration, report })]
      : []
  const listeners = [...Object.values(listenings), ...management]
  const working = [renewing, purgeRegularly(store, now), rotateRegularly(administrationContext, report)]
  const life = recordLife(context)
  const resources = opened.move()

  return {
    issuer: settings.issuer,
    administration,
    async listen() {
      if (context.signer === absentSigner)
        throw new SettingsError(
          'keys.signer: is "application", and no application brings one. Start the server from there, or write own.',
        )
      // One that opens late would escape close(): all are waited for before the first failure is told.
      const outcomes = await Promise.allSettled(listeners.map((each) => each.listen()))
      const failed = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failed) throw failed.reason
      await operations?.listen()
      await life.started()
      probes.enter('serving')
    },
    async close() {
      probes.enter('draining')
      for (const each of working) each.stop()
      await Promise.all(listeners.map((each) => each.close()))
      await operations?.close()
      await suspicions.close()
      await life.stopped()
      await resources.disposeAsync()
    },
  }
}

async function createContext(
  { settings, store, replay, now, report, options }: Parts,
  { secret, auditKey, signer }: Keyring,
  opened: AsyncDisposableStack,
): Promise<{ readonly context: Context; readonly suspicions: Suspicions }> {
  const { random } = nodePrimitives
  const turns = createTurns()
  const { node = hostname() } = settings
  const audit = (entry: AuditEntry) => ({ ...entry, time: now(), node, key: auditKey })
  const suspicions = createSuspicions({ store, audit, now, report })
  const counting = createCounters(settings, { store, now, report })
  opened.defer(() => counting.stop())
  const upstreams = await openUpstreams(settings)
  opened.defer(async () => void (await Promise.all(upstreams.map((each) => each.close()))))
  const context = {
    settings,
    now,
    primitives: nodePrimitives,
    store,
    signer,
    clients: createClients(settings.clients, store),
    trust: createTrust(settings.mutualTls.trustGroups, now),
    secrets: createSecrets(random, turns),
    people: options.people ?? (await openPeople(settings, { random, turns, attempts: counting.passwords })),
    upstreams,
    fetchKeys: createClientKeys(settings.outbound.allow, (url) => fetchJson(url, settings.outbound), now),
    ...counting.counters,
    pairwise: createPairwise(deriveKey(secret, 'pairwise subjects')),
    dpop: createDpopContext(deriveKey(secret, 'DPoP nonces'), { now, primitives: nodePrimitives }),
    ...(replay && { replay }),
    audit,
    report: (each: Report) => {
      report(each)
      suspicions.note(each)
    },
  }
  return { context, suspicions }
}

function createAdministrationContext(
  { settings, store, now, primitives, clients, audit }: Context,
  { sealing, secret, auditKey, signer, signsOutside }: Keyring,
  { operator }: ServerOptions,
): AdministrationContext {
  return {
    ...{ settings, store, signer, signsOutside, sealing, secret, auditKey, now },
    random: primitives.random,
    audit: naming(operator, audit),
    onClientsChanged: () => clients.forget(),
  }
}

/** The commands of a process of its own say who has started it. */
function naming(operator: string | undefined, audit: Context['audit']): Context['audit'] {
  if (operator === undefined) return audit
  return (entry) => audit(entry.actor === 'operator' ? { ...entry, actor: `operator:${operator}` } : entry)
}

/** Records in the audit log when a server began to serve, and when it ended. */
function recordLife({ store, audit, report }: Context) {
  const details = { version, pid: process.pid }
  let hasStarted = false
  return {
    async started() {
      await store.recordAudit(audit({ event: 'server_started', actor: 'server', details }))
      hasStarted = true
    },
    async stopped() {
      if (!hasStarted) return
      await store
        .recordAudit(audit({ event: 'server_stopped', actor: 'server', details }))
        .catch((cause: unknown) => report({ level: 'error', event: 'audit_not_recorded', cause }))
    },
  }
}
