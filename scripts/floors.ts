import { dirname, join } from 'node:path/posix'
import { report, repositoryFiles, textOf } from './files.ts'
import { importsOf, lineAt, withoutComments } from './imports.ts'

/** A folder, or a file, of a package's `src`, and where it stands. */
interface Unit {
  readonly floor: number
  /** Units of different roles never import each other, whatever their floors. */
  readonly role?: 'client' | 'resource'
  /** Reads no clock, randomness, environment, network or disk: they arrive as arguments. */
  readonly pure?: true
  /** The one file of a pure unit that offers the platform's own clock, randomness and network to those who ask. */
  readonly door?: string
  /** The only units of its package that it may know. */
  readonly knows?: readonly string[]
  /** The only packages from outside that it may import besides `node:` modules. */
  readonly uses?: readonly string[]
}

interface Floors {
  readonly name: string
  readonly units: Readonly<Record<string, Unit>>
  /** Packages of this repository that it may import, by their published subpaths. */
  readonly packages: readonly string[]
}

/** The law: a unit imports its own folder and lower floors; never up, never sideways. The longest name decides. */
export const law: Readonly<Record<string, Floors>> = {
  'packages/pop': {
    name: '@holdfast/pop',
    packages: [],
    units: {
      foundation: { floor: 0, pure: true, uses: [] },
      oauth: { floor: 1, pure: true, uses: [] },
      proof: { floor: 2, pure: true, uses: [] },
      client: { floor: 3, role: 'client', pure: true, door: 'client/context.ts', uses: [] },
      'client/browser': { floor: 4, role: 'client', uses: [] },
      resource: { floor: 3, role: 'resource', pure: true, uses: [] },
      'node/certificates': { floor: 4, uses: ['pkijs', 'asn1js'] },
      node: { floor: 5, uses: [] },
      'node/client': { floor: 6, role: 'client', uses: ['undici'] },
      'node/resource': { floor: 6, role: 'resource', uses: [] },
      '': { floor: 7, uses: [] },
      testing: { floor: 8, uses: [] },
      'testing.ts': { floor: 9, uses: [] },
    },
  },
  'packages/server': {
    name: 'holdfast',
    packages: ['@holdfast/pop'],
    units: {
      model: { floor: 1, pure: true, uses: ['zod'] },
      ports: { floor: 2, pure: true, uses: [] },
      'settings.ts': { floor: 3, pure: true, uses: ['zod'] },
      'context.ts': { floor: 4, pure: true, uses: [] },
      'client-authentication': { floor: 5, pure: true, uses: [] },
      possession: { floor: 5, pure: true, uses: [] },
      tokens: { floor: 5, pure: true, uses: [] },
      pages: { floor: 5, pure: true, knows: [], uses: [] },
      grants: { floor: 6, pure: true, uses: [] },
      authorization: { floor: 7, pure: true, uses: ['zod'] },
      registration: { floor: 7, pure: true, uses: [] },
      endpoints: { floor: 8, pure: true, uses: [] },
      administration: { floor: 8, pure: true, uses: ['zod'] },
      store: { floor: 9, knows: ['model', 'ports', 'settings.ts', 'context.ts'], uses: ['kysely', 'pg', 'ioredis'] },
      http: { floor: 9, uses: ['fastify', 'pino', 'prom-client', '@opentelemetry/api'] },
      events: { floor: 9, uses: [] },
      outbound: { floor: 9, uses: [] },
      people: { floor: 9, uses: ['openid-client'] },
      'adapters.ts': { floor: 10, uses: [] },
      'keyring.ts': { floor: 10, uses: [] },
      'version.ts': { floor: 0, uses: [] },
      'main.ts': { floor: 11, uses: [] },
      '': { floor: 12, uses: [] },
      theft: { floor: 12, uses: [] },
      development: { floor: 13, uses: ['yaml'] },
      cli: { floor: 14, uses: ['commander', 'yaml', 'pino'] },
    },
  },
  'packages/console': { name: '@holdfast/console', packages: ['@holdfast/pop'], units: { '': { floor: 0 } } },
}

/** What tests anywhere may take from outside their package. */
const needs = ['requires', 'postgres-server', 'redis-server'].map((name) => `conformance/${name}.ts`)
const outside = /^(?:conformance|examples|bench)\//
const worldly = /^node:(?!(?:buffer|crypto|net|url|util)$)/
const impurities = [
  /\bDate\.now\(/g,
  /\bnew Date\(\)/g,
  /\bprocess\.(?!versions)/g,
  /\b(?:globalThis|self)\.\w+/g,
  /\bgetRandomValues\(|\brandomUUID\(|\brandomBytes\(/g,
]
const ownFetch = /(?<![.\w])fetch\(/g

/** Every breach of the law among these files. `published` holds the subpaths that each package exports. */
export function breaches(
  files: ReadonlyMap<string, string>,
  published: ReadonlyMap<string, ReadonlySet<string>>,
): readonly string[] {
  return [...files].flatMap(([path, source]) => {
    const home = packageOf(path)
    const imports = importsOf(source).flatMap(({ specifier, line }) => {
      const wrong =
        crossing(path, specifier, published) ?? (home && !isTest(path) ? climbing(home, path, specifier) : undefined)
      return wrong ? [`${path}:${line} imports ${specifier}: ${wrong}`] : []
    })
    return home && !isTest(path) ? [...imports, ...impure(home, path, source)] : imports
  })
}

/** Packages are left only by the published subpaths of others. */
function crossing(
  path: string,
  specifier: string,
  published: ReadonlyMap<string, ReadonlySet<string>>,
): string | undefined {
  const home = packageOf(path)
  if (specifier.startsWith('.')) {
    const target = join(dirname(path), specifier)
    if (home && !target.startsWith(`${home}/src/`) && !(isTest(path) && needs.includes(target)))
      return 'it leaves the package'
    if (outside.test(path) && target.startsWith('packages/')) return 'use a published subpath'
    return undefined
  }
  const owner = [...published.keys()].find((name) => specifier === name || specifier.startsWith(`${name}/`))
  if (owner === undefined) return undefined
  const floors = home === undefined ? undefined : law[home]
  if (floors && floors.name !== owner && !floors.packages.includes(owner)) return `${floors.name} stands below ${owner}`
  const subpath = `.${specifier.slice(owner.length)}`
  return published.get(owner)?.has(subpath) ? undefined : `${owner} publishes no "${subpath}"`
}

/** Inside a package imports go down. */
function climbing(home: string, path: string, specifier: string): string | undefined {
  const from = unitOf(home, path)
  if (!from) return 'this folder has no floor: give it one in scripts/floors.ts'
  if (!specifier.startsWith('.')) return foreign(from, specifier)
  const to = unitOf(home, join(dirname(path), specifier))
  if (!to) return 'that folder has no floor: give it one in scripts/floors.ts'
  if (from.key === to.key) return undefined
  if (from.unit.role && to.unit.role && from.unit.role !== to.unit.role) {
    return `${from.unit.role} and ${to.unit.role} never import each other`
  }
  if (from.unit.knows && !from.unit.knows.includes(to.key)) return `${from.key} may not know ${to.key}`
  if (to.unit.floor === from.unit.floor) return `${to.key} stands beside ${from.key}`
  return to.unit.floor > from.unit.floor ? `${to.key || 'src'} stands above ${from.key || 'src'}` : undefined
}

function foreign({ key, unit }: Place, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) return unit.pure && worldly.test(specifier) ? `${key} is pure` : undefined
  if (specifier.startsWith('@holdfast/') || specifier.startsWith('holdfast/') || !unit.uses) return undefined
  const allowed = unit.uses.some((name) => specifier === name || specifier.startsWith(`${name}/`))
  return allowed ? undefined : `${key || 'src'} may not use this dependency`
}

function impure(home: string, path: string, source: string): readonly string[] {
  const place = unitOf(home, path)
  if (!place?.unit.pure || path === `${home}/src/${place.unit.door}`) return []
  const code = withoutComments(source)
  const patterns = /\bfetch\s*[,:}]/.test(code) ? impurities : [...impurities, ownFetch]
  return patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map(
      (match) => `${path}:${lineAt(code, match.index)} calls ${match[0]}: ${place.key} is pure, let it arrive`,
    ),
  )
}

interface Place {
  readonly key: string
  readonly unit: Unit
}

/** The unit that holds a file: the longest key that is its path or a folder above it; `''` is `src` itself. */
function unitOf(home: string, path: string): Place | undefined {
  const below = path.slice(`${home}/src/`.length)
  const units = Object.entries(law[home]?.units ?? {}).map(([key, unit]) => ({ key, unit }))
  return units
    .filter(({ key }) => (key === '' ? !below.includes('/') : below === key || below.startsWith(`${key}/`)))
    .toSorted((a, b) => b.key.length - a.key.length)[0]
}

function isHeld(path: string): boolean {
  return packageOf(path) !== undefined || outside.test(path)
}

function isTest(path: string): boolean {
  return /\.(?:test|test-d|fixture)\.ts$/.test(path)
}

function packageOf(path: string): string | undefined {
  return Object.keys(law).find((home) => path.startsWith(`${home}/src/`))
}

if (import.meta.main) {
  const files = new Map(
    repositoryFiles('.ts', '.tsx')
      .filter(isHeld)
      .map((path) => [path, textOf(path)]),
  )
  const manifests = Object.keys(law).map((home) => JSON.parse(textOf(`${home}/package.json`)))
  const published = new Map(manifests.map(({ name, exports = {} }) => [name, new Set(Object.keys(exports))]))
  report(breaches(files, published), `${files.size} files keep to their floors.`)
}
