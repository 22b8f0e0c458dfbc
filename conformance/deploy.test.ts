import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { hash, randomBytes, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import { type CertificatePair, createClientCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { execForm, parseDockerfile } from '../scripts/dockerfile.ts'
import { claimsOf, encodeForm, freePort } from './harness.ts'
import { startPostgres } from './postgres-server.ts'
import { startRedis } from './redis-server.ts'
import { findProgram, requirePrograms } from './requires.ts'

const root = new URL('../', import.meta.url).pathname
const program = join(root, 'packages/server/bin/holdfast.js')
const textOf = (path: string): string => readFileSync(join(root, path), 'utf8')

// biome-ignore lint/suspicious/noExplicitAny: tests look into files of other programs
type Loose = any

/** Where the secrets of `compose.yaml` are, made by its own script. */
let folder: string
const withSecrets = requirePrograms('openssl')
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-deploy-'))
  mkdirSync(join(folder, 'compose'))
  copyFileSync(join(root, 'deploy/compose/secrets.sh'), join(folder, 'compose/secrets.sh'))
  if (findProgram('openssl') !== undefined) execFileSync('sh', [join(folder, 'compose/secrets.sh')])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const secrets = () => join(folder, 'compose/secrets')

/** Writes settings with their files in this folder. @returns what `holdfast config check` says */
function checkSettings(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return execFileSync(process.execPath, [program, 'config', 'check', '--config', file], { encoding: 'utf8' })
}

describe('deploy/Dockerfile', () => {
  const stages = parseDockerfile(textOf('deploy/Dockerfile'))
  const last = stages.at(-1)
  const argumentOf = (name: string): string => last?.instructions.find((each) => each.name === name)?.argument ?? ''

  it('ends in an image without a shell, as a user that is nobody', () => {
    expect(last?.base).toBe('gcr.io/distroless/cc-debian12:nonroot')
    expect(argumentOf('USER')).toBe('65532:65532')
    expect(last?.instructions.filter(({ name }) => name === 'RUN' || name === 'ADD')).toEqual([])
  })

  it('starts the server without a shell, and lets it drain', () => {
    expect(execForm(argumentOf('ENTRYPOINT'))).toEqual([
      '/usr/local/bin/node',
      '/app/node_modules/holdfast/bin/holdfast.js',
    ])
    expect(execForm(argumentOf('CMD'))).toEqual(['serve', '--config', '/etc/holdfast/holdfast.yaml'])
    expect(argumentOf('STOPSIGNAL')).toBe('SIGTERM')
    expect(execForm(argumentOf('HEALTHCHECK').replace(/^.*?CMD /, ''))?.[0]).toBe('/usr/local/bin/node')
  })

  it('copies the Node of the repository, whatever Node runs npm', () => {
    const build = stages.find(({ name }) => name === 'build')?.instructions.map(({ argument }) => argument) ?? []
    expect(build).toContain('node_modules/.bin/node scripts/pack.ts')
    expect(build.join('\n')).toContain('cp "$(readlink -f node_modules/.bin/node)" /image/node')
  })

  it('installs what package-lock.json says, and no tools of development', () => {
    const packages = stages.find(({ name }) => name === 'packages')?.instructions.map(({ argument }) => argument) ?? []
    expect(packages.some((line) => /^npm ci --omit=dev .*--ignore-scripts/.test(line))).toBe(true)
    expect(packages.some((line) => /npm install/.test(line))).toBe(false)
  })

  it('leaves out what must not be in an image', () => {
    const ignored = textOf('.dockerignore').split('\n')
    for (const each of ['.git', '.holdfast', '**/node_modules', 'deploy/compose/secrets', '**/*.key', '**/*.db'])
      expect(ignored).toContain(each)
  })

  it('tells Node to write no environment into reports and to open no debugger', () => {
    const options = /NODE_OPTIONS="([^"]*)"/.exec(argumentOf('ENV'))?.[1] ?? ''
    const report = execFileSync(process.execPath, ['-p', 'process.report.excludeEnv'], {
      env: { ...process.env, NODE_OPTIONS: options },
      encoding: 'utf8',
    })
    expect(report.trim()).toBe('true')
  })
})

withSecrets('deploy/compose.yaml', () => {
  const compose: Loose = parse(textOf('deploy/compose.yaml'), { merge: true })
  const services: readonly [string, Loose][] = Object.entries(compose.services)

  it('publishes the two TLS ports of the balancer on loopback, and nothing else', () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port: string) => [name, port]))
    expect(published).toEqual([
      ['balancer', '127.0.0.1:8443:8443'],
      ['balancer', '127.0.0.1:9443:9443'],
    ])
  })

  it('mounts files that are there, and makes every secret', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) => volumes.map((each: string) => each.split(':')[0]))
    for (const path of mounted.filter((each: string) => each.startsWith('./')))
      expect(existsSync(join(root, 'deploy', path))).toBe(true)
    for (const { file } of Object.values<{ readonly file: string }>(compose.secrets))
      expect(existsSync(join(folder, file))).toBe(true)
    for (const [, { secrets: used = [] }] of services)
      for (const name of used) expect(Object.keys(compose.secrets)).toContain(name)
  })

  it('gives a node a root that it cannot write, no capability and no core dump', () => {
    for (const name of ['holdfast-one', 'holdfast-two']) {
      const node = compose.services[name]
      expect(node).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
      expect(node.ulimits.core).toBe(0)
    }
  })

  it('has settings that can be used', () => {
    const text = textOf('deploy/compose/holdfast.yaml').replaceAll('/run/secrets', secrets())
    expect(checkSettings('compose.yaml', text)).toContain('usable')
  })

  it('starts Valkey without eviction', () => {
    expect(readFileSync(join(secrets(), 'valkey.conf'), 'utf8')).toContain('maxmemory-policy noeviction\n')
  })

  it.each([
    ['as.pem', 'as.key'],
    ['as.key', 'as.pem'],
    ['postgres-address', 'postgres-password'],
    ['valkey-address', 'valkey.conf'],
  ])('makes %s again when it was interrupted before it', (missing, other) => {
    rmSync(join(secrets(), missing))
    execFileSync('sh', [join(folder, 'compose/secrets.sh')], { stdio: 'ignore' })
    const [made, beside] = [missing, other].map((name) => readFileSync(join(secrets(), name), 'utf8'))
    expect(made).not.toBe('')
    if (missing.endsWith('address')) expect(made).toContain(/[0-9a-f]{64}/.exec(beside ?? '')?.[0])
  })

  it('makes nothing without openssl, and says so', () => {
    const bare = mkdtempSync(join(tmpdir(), 'holdfast-bare-'))
    onTestFinished(() => rmSync(bare, { recursive: true, force: true }))
    for (const name of ['dirname', 'mkdir', 'chmod', 'cat', 'tr', 'mv'])
      symlinkSync(findProgram(name) ?? '', join(bare, name))
    mkdirSync(join(bare, 'secrets'), { mode: 0o755 })
    copyFileSync(join(root, 'deploy/compose/secrets.sh'), join(bare, 'secrets.sh'))
    for (const name of ['as.pem', 'as.key']) writeFileSync(join(bare, 'secrets', name), 'there')
    const { status, stderr } = spawnSync('/bin/sh', [join(bare, 'secrets.sh')], {
      env: { PATH: bare },
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([127, expect.stringContaining('openssl')])
    expect(statSync(join(bare, 'secrets')).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(bare, 'secrets')).filter((name) => !name.endsWith('.new'))).toEqual(['as.key', 'as.pem'])
  })

  it('keeps secrets that are there', () => {
    const before = readFileSync(join(secrets(), 'holdfast.key'), 'utf8')
    execFileSync('sh', [join(folder, 'compose/secrets.sh')])
    expect(readFileSync(join(secrets(), 'holdfast.key'), 'utf8')).toBe(before)
  })
})

requirePrograms(
  'postgres',
  'redis-server',
  'haproxy',
)('the services of deploy/compose.yaml, without containers', () => {
  it('pass the certificate of a client through the balancer, and outlive a node', { timeout: 60_000 }, async () => {
    const compose: Loose = parse(textOf('deploy/compose.yaml'), { merge: true })
    const postgres = await startPostgres()
    onTestFinished(() => postgres.stop())
    const redis = await startRedis('--maxmemory-policy', 'noeviction')
    onTestFinished(() => redis.stop())
    writeFileSync(join(secrets(), 'postgres-address'), await postgres.createDatabase())
    writeFileSync(join(secrets(), 'valkey-address'), redis.url)
    const [front, mutual] = [await freePort(), await freePort()]
    const nodes = [await node(compose, front, mutual), await node(compose, front, mutual)]
    const balancer = textOf('deploy/compose/haproxy.cfg')
      .replace('bind :8443', `bind 127.0.0.1:${front}`)
      .replace('bind :9443', `bind 127.0.0.1:${mutual}`)
      .replaceAll(/server ((one|two)\S*) holdfast-\w+:(8443|9443)/g, (_, name: string, which: string, port: string) => {
        const { ports, operations } = (which === 'one' ? nodes[0] : nodes[1]) ?? none()
        return `server ${name} 127.0.0.1:${port === '8443' ? ports[0] : ports[1]} port ${operations}`
      })
    writeFileSync(join(folder, 'haproxy.cfg'), balancer)
    run('haproxy', ['-f', join(folder, 'haproxy.cfg')])

    const certificate = await createClientCertificate({ name: 'client', keyType: 'P-256' })
    const bound = async () => {
      const { status, json } = await askForToken(mutual, certificate)
      return [status, claimsOf(json.access_token ?? '.e30').cnf]
    }
    const thumbprint = hash('sha256', new X509Certificate(certificate.certificate).raw, 'base64url')
    const expected = [200, { 'x5t#S256': thumbprint }]
    await expect.poll(() => bound().catch(() => []), { timeout: 10_000 }).toEqual(expected)
    expect((await askForToken(front)).json.token_type).toBe('Bearer')
    // An empty Valkey declines proofs for ten seconds, and nodes are not ready.
    await Promise.all(nodes.map(({ operations }) => untilReady(operations)))
    await pause(2000)
    nodes[0]?.process.kill('SIGTERM')
    // What is opened at the very moment may be cut: the node has accepted it, and the balancer does not try again.
    const answers = await Promise.all(Array.from({ length: 160 }, () => bound().catch(() => 'cut')))
    const served = answers.filter((each) => each !== 'cut')
    expect(served.length).toBeGreaterThan(155)
    for (const answer of served) expect(answer).toEqual(expected)
    if (nodes[0]?.process.exitCode === null) await once(nodes[0].process, 'exit')
    for (let count = 0; count < 20; count++) expect(await bound()).toEqual(expected)
  })
})

withSecrets('deploy/holdfast.service', () => {
  const unit = textOf('deploy/holdfast.service')
  const settingOf = (name: string): string | undefined => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1]

  it('leaves no dump, and tries again only what may go better', () => {
    expect(settingOf('LimitCORE')).toBe('0')
    expect(settingOf('Restart')).toBe('on-failure')
    expect(settingOf('RestartPreventExitStatus')?.split(' ')).toContain('78')
    expect(settingOf('RestartPreventExitStatus')?.split(' ')).not.toContain('69')
    expect(Number(settingOf('TimeoutStopSec'))).toBeGreaterThan(10)
  })

  it('starts with the settings of the guide, serves, and drains', { timeout: 30_000 }, async () => {
    const guide = textOf('docs/guides/deploy.md')
    const written = /```yaml\n# \/etc\/holdfast\/holdfast\.yaml\n([\s\S]*?)```/.exec(guide)?.[1] ?? ''
    const credentials = join(folder, 'credentials')
    mkdirSync(credentials)
    writeFileSync(join(credentials, 'holdfast.key'), randomBytes(32).toString('base64url'), { mode: 0o400 })
    const state = join(folder, 'state')
    mkdirSync(state)
    for (const name of ['as.pem', 'as.key']) copyFileSync(join(secrets(), name), join(folder, name))
    const placed = written
      .replace('/run/credentials/holdfast.service', credentials)
      .replace('/var/lib/holdfast', state)
      .replace('port: 8443', `port: ${await freePort()}`)
      .replace('port: 9443', `port: ${await freePort()}`)
      .replace('port: 9464', `port: ${await freePort()}`)
    expect(checkSettings('unit.yaml', placed)).toContain('usable')
    const [, ...words] = (settingOf('ExecStart') ?? '').split(' ')
    const places: Readonly<Record<string, string>> = {
      '/opt/holdfast/node_modules/holdfast/bin/holdfast.js': program,
      '/etc/holdfast/holdfast.yaml': join(folder, 'unit.yaml'),
    }
    const server = run(
      process.execPath,
      words.map((word) => places[word] ?? word),
      state,
    )
    await untilListening(server)
    expect(readdirSync(state)).toContain('holdfast.db')
    server.kill('SIGTERM')
    expect((await once(server, 'exit'))[0]).toBe(0)
  })
})

requirePrograms('systemd-analyze')('systemd', () => {
  it('finds nothing wrong in the unit, and little exposed', () => {
    const file = join(folder, 'holdfast.service')
    writeFileSync(file, textOf('deploy/holdfast.service').replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`))
    const analyze = (...args: string[]) => execFileSync('systemd-analyze', args, { encoding: 'utf8', stdio: 'pipe' })
    expect(analyze('verify', file)).toBe('')
    const score = /exposure level for \S+: ([\d.]+)/.exec(analyze('security', '--offline=true', file))?.[1]
    expect(Number(score)).toBeLessThan(2)
  })
})

withSecrets('deploy/kubernetes', () => {
  const files = readdirSync(join(root, 'deploy/kubernetes'))
  const documents: readonly Loose[] = files.flatMap((name) =>
    parseAllDocuments(textOf(`deploy/kubernetes/${name}`)).map((document) => document.toJS()),
  )
  const only = (kind: string, name = 'holdfast'): Loose =>
    documents.find((each) => each.kind === kind && each.metadata.name === name)
  const pod: Loose = only('Deployment').spec.template
  const container: Loose = pod.spec.containers[0]
  const portNames = container.ports.map(({ name }: { readonly name: string }) => name)

  it('is YAML, each document with a kind, and names files that are there', () => {
    for (const document of documents) expect([document.apiVersion, document.kind]).not.toContain(undefined)
    const kustomization = documents.find(({ kind }) => kind === 'Kustomization')
    for (const name of kustomization.resources) expect(files).toContain(name)
    expect(kustomization.resources).not.toContain('secret.example.yaml')
  })

  it('asks for what the profile restricted demands, and a root that cannot be written', () => {
    expect(pod.spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(pod.spec.automountServiceAccountToken).toBe(false)
  })

  it('probes the paths of the operations listener', () => {
    const probes = ['startupProbe', 'readinessProbe', 'livenessProbe'].map((name) => container[name].httpGet)
    expect(probes).toEqual([
      { path: '/startupz', port: 'operations' },
      { path: '/readyz', port: 'operations' },
      { path: '/livez', port: 'operations' },
    ])
  })

  it('gives a pod longer to end than it sleeps and drains', () => {
    const { seconds } = container.lifecycle.preStop.sleep
    expect(pod.spec.terminationGracePeriodSeconds).toBeGreaterThan(seconds + 10)
  })

  it('selects its pods everywhere, by ports that they have', () => {
    const { labels } = pod.metadata
    const service = only('Service')
    const policy = only('NetworkPolicy')
    for (const selector of [
      only('Deployment').spec.selector.matchLabels,
      only('PodDisruptionBudget').spec.selector.matchLabels,
      pod.spec.topologySpreadConstraints[0].labelSelector.matchLabels,
      service.spec.selector,
      policy.spec.podSelector.matchLabels,
      only('PodMonitor').spec.selector.matchLabels,
    ])
      expect(selector).toEqual(labels)
    for (const { targetPort } of service.spec.ports) expect(portNames).toContain(targetPort)
    for (const { ports } of policy.spec.ingress) for (const { port } of ports) expect(portNames).toContain(port)
  })

  it('does not expose the operations listener', () => {
    const open = only('NetworkPolicy').spec.ingress.filter(({ from }: Loose) => from === undefined)
    expect(open.flatMap(({ ports }: Loose) => ports.map(({ port }: Loose) => port))).toEqual(['public', 'mutual-tls'])
    expect(only('Service').spec.ports.map(({ targetPort }: Loose) => targetPort)).not.toContain('operations')
    expect(only('Service').spec.externalTrafficPolicy).toBe('Local')
  })

  it('has settings that can be used, with the files of its secrets and the ports of its container', () => {
    const text: string = only('ConfigMap').data['holdfast.yaml']
    const mounts = new Map<string, Loose>(container.volumeMounts.map((mount: Loose) => [mount.name, mount]))
    const tree = join(folder, 'pod')
    const lay = (mount: string, names: readonly string[], contents: Readonly<Record<string, string>>) => {
      const place = join(tree, mounts.get(mount)?.mountPath)
      mkdirSync(place, { recursive: true })
      for (const name of names) cpSync(contents[name] ?? '', join(place, name))
    }
    writeFileSync(join(secrets(), 'address'), 'postgres://holdfast:password@postgres.example.com/holdfast')
    lay('secrets', Object.keys(only('Secret').stringData), {
      postgres: join(secrets(), 'address'),
      'holdfast.key': join(secrets(), 'holdfast.key'),
    })
    lay('tls', Object.keys(only('Secret', 'holdfast-tls').stringData), {
      'tls.crt': join(secrets(), 'as.pem'),
      'tls.key': join(secrets(), 'as.key'),
    })
    expect(checkSettings('pod.yaml', text.replaceAll('/etc/holdfast', join(tree, 'etc/holdfast')))).toContain('usable')
    const { listen, operations } = parse(text)
    const ports = container.ports.map(({ containerPort }: Loose) => containerPort)
    expect(ports).toEqual([listen.public.port, listen.mutualTls.port, operations.port])
  })
})

interface Node {
  readonly process: ChildProcess
  readonly ports: readonly [number, number]
  readonly operations: number
}

/** A node by the command and the settings of `compose.yaml`, on ports of its own. */
async function node(compose: Loose, front: number, mutual: number): Promise<Node> {
  const ports = [await freePort(), await freePort()] as const
  const operations = await freePort()
  const settings: Loose = parse(textOf('deploy/compose/holdfast.yaml').replaceAll('/run/secrets', secrets()))
  const file = join(folder, `node-${ports[0]}.yaml`)
  const origin = (port: number) => `https://localhost:${port}`
  const listen = {
    public: { ...settings.listen.public, port: ports[0], origin: origin(front) },
    mutualTls: { ...settings.listen.mutualTls, port: ports[1], origin: origin(mutual) },
  }
  writeFileSync(file, stringify({ ...settings, issuer: origin(front), listen, operations: { port: operations } }))
  const command: readonly string[] = compose.services['holdfast-one'].command
  const child = run(process.execPath, [
    program,
    ...command.map((word) => (word === '/etc/holdfast/holdfast.yaml' ? file : word)),
  ])
  await untilListening(child)
  return { process: child, ports, operations }
}

function run(command: string, args: readonly string[], cwd = folder): ChildProcess {
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  return child
}

function untilListening(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    const hear = (text: Buffer) => {
      said += text
      if (said.includes('"event":"listening"')) resolve()
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('exit', (code) => reject(new Error(`exited ${code}: ${said}`)))
  })
}

async function untilReady(operations: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await fetch(`http://127.0.0.1:${operations}/readyz`)).ok) return
    await pause(100)
  }
  throw new Error('a node is not ready')
}

function askForToken(
  port: number,
  certificate?: CertificatePair,
): Promise<{ readonly status: number; readonly json: Loose }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ host: '127.0.0.1', servername: 'localhost', port, path: '/token', method: 'POST', agent: false },
        ca: readFileSync(join(secrets(), 'as.pem')),
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        ...(certificate && { cert: certificate.certificate, key: certificate.key }),
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, json: JSON.parse(text) }))
      },
    )
    sent.on('error', reject)
    sent.end(encodeForm({ grant_type: 'client_credentials', client_id: 'client', client_secret: 'secret' }))
  })
}

function none(): never {
  throw new Error('there is no such node')
}
