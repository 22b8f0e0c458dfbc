import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import { execForm, parseDockerfile, type Stage } from './dockerfile.ts'
import { root, textOf } from './files.ts'

/** What the packages of the base image hold: https://github.com/GoogleContainerTools/distroless/tree/main/cc */
const basePackages = ['libc6', 'libgcc-s1', 'libgomp1', 'libstdc++6', 'base-files', 'netbase', 'tzdata']

/** The tree alone, not to be written but for the volume; as the user of the image. */
const mounting = `
  tree=$1; shift
  mount --bind "$tree" "$tree"
  mount --bind "$tree/var/lib/holdfast" "$tree/var/lib/holdfast"
  mount --bind /dev "$tree/dev"
  mount -t proc proc "$tree/proc"
  mount -o remount,bind,ro "$tree"
  exec chroot --userspec=65532:65532 --groups= "$tree" "$@"`

/**
 * Tries `deploy/Dockerfile` where there is no Docker: makes the tree of the image in a folder by the very instructions of the file,
 * with the libraries that `distroless/cc-debian12` has taken from this Debian 12, and starts the server in it: as user 65532,
 * with a root that cannot be written and nothing of this machine. Not tried: the base images themselves. Needs root.
 */
const folder = mkdtempSync(join(tmpdir(), 'holdfast-image-'))
const stages = parseDockerfile(textOf('deploy/Dockerfile'))
try {
  for (const stage of stages) build(stage)
  await start(folderOf(undefined))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function folderOf(stage: string | undefined): string {
  return join(folder, stage ?? 'image')
}

function build({ name, base, instructions }: Stage): void {
  const tree = folderOf(name)
  mkdirSync(tree)
  if (base.startsWith('gcr.io/distroless/cc-debian12')) layBase(tree)
  let directory = '/'
  for (const { name: verb, argument } of instructions) {
    process.stdout.write(`${verb} ${argument}\n`)
    if (verb === 'WORKDIR') {
      directory = argument
      mkdirSync(join(tree, directory), { recursive: true })
    }
    if (verb === 'COPY') copy(argument, tree, directory)
    if (verb === 'RUN' && !argument.startsWith('apt-get')) run(argument, tree, directory)
  }
}

/** A command sees this machine, and the folders that the file names are those of the tree. */
function run(command: string, tree: string, directory: string): void {
  const own = command.replaceAll(/(?<=^|[\s"=])\/(?=(?:src|app|packed|image)\b)/g, `${tree}/`)
  const { NODE_OPTIONS: _, ...env } = process.env
  const options = { cwd: join(tree, directory), env: { ...env, npm_config_prefer_offline: 'true' } }
  execFileSync('sh', ['-ec', own], { ...options, stdio: ['ignore', 'inherit', 'inherit'] })
}

function copy(argument: string, tree: string, directory: string): void {
  const words = argument.split(' ')
  const optionOf = (name: string) => words.find((word) => word.startsWith(`--${name}=`))?.split('=')[1]
  const paths = words.filter((word) => !word.startsWith('--'))
  const from = optionOf('from')
  const target = paths.at(-1) ?? ''
  const to = join(tree, target.startsWith('/') ? target : join(directory, target))
  if (from === undefined && paths[0] === '.') {
    copyContext(to)
    return
  }
  for (const path of paths.slice(0, -1)) {
    const source = from === undefined ? join(root, path) : join(folderOf(from), path)
    const isFolder = statSync(source).isDirectory()
    const place = isFolder || !(target.endsWith('/') || target === './') ? to : join(to, basename(path))
    mkdirSync(dirname(place), { recursive: true })
    cpSync(source, place, { recursive: true, verbatimSymlinks: true })
    const [user, group] = (optionOf('chown') ?? '').split(':').map(Number)
    if (user !== undefined && group !== undefined && user > 0) chownSync(place, user, group)
  }
}

/** What is committed: less than what `.dockerignore` lets through, and the same on every machine. */
function copyContext(to: string): void {
  const archive = join(folder, 'context.tar')
  execFileSync('git', ['archive', '--output', archive, 'HEAD'], { cwd: root })
  execFileSync('tar', ['-xf', archive, '-C', to])
}

function layBase(tree: string): void {
  for (const each of ['dev', 'proc', 'tmp', 'etc']) mkdirSync(join(tree, each))
  for (const each of ['bin', 'lib', 'lib64', 'sbin']) execFileSync('ln', ['-s', `usr/${each}`, join(tree, each)])
  const listed = execFileSync('dpkg', ['-L', ...basePackages], { encoding: 'utf8' }).split('\n')
  const kept = listed.filter((path) => /^(\/usr)?\/lib(64)?\//.test(path) && /\.so(\.|$)/.test(path) && isFile(path))
  for (const path of kept) {
    const place = join(tree, path.startsWith('/usr') ? path : `/usr${path}`)
    mkdirSync(dirname(place), { recursive: true })
    copyFileSync(path, place)
  }
  writeFileSync(join(tree, 'etc/passwd'), 'nonroot:x:65532:65532::/nonexistent:/sbin/nologin\n')
  writeFileSync(join(tree, 'etc/hosts'), '127.0.0.1 localhost\n')
}

/** Runs what the image runs, and its health check. */
async function start(tree: string): Promise<void> {
  const settings = join(tree, 'etc/holdfast')
  mkdirSync(settings)
  await writeSettings(settings)
  const last = stages.at(-1)?.instructions ?? []
  const wordsOf = (name: string) => execForm(last.find((each) => each.name === name)?.argument ?? '') ?? []
  const environment = last.find(({ name }) => name === 'ENV')?.argument ?? ''
  const variables = environment.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g)
  const env = { PATH: process.env.PATH, ...Object.fromEntries([...variables].map(([, key, a, b]) => [key, a ?? b])) }
  const inside = (words: readonly string[]) => [
    ...['--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', mounting, 'sh', tree, ...words],
  ]
  const command = [...wordsOf('ENTRYPOINT'), ...wordsOf('CMD')]
  const server = spawn('unshare', inside(command), { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(server, 'exit')
  let log = ''
  server.stdout.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const check = execForm(last.find(({ name }) => name === 'HEALTHCHECK')?.argument.replace(/^.*?CMD /, '') ?? '') ?? []
  try {
    for (let tries = 0; !log.includes('"event":"listening"'); tries++) {
      if (tries === 200 || server.exitCode !== null) throw new Error(`the server does not listen: ${log}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    execFileSync('unshare', inside(check), { env, stdio: 'inherit' })
    const size = execFileSync('du', ['-sm', tree], { encoding: 'utf8' }).split('\t')[0]
    process.stdout.write(`the image serves, is healthy, and has ${size} MB\n`)
  } finally {
    const [pid] = execFileSync('pgrep', ['-P', String(server.pid)], { encoding: 'utf8' }).split('\n')
    process.kill(Number(pid), 'SIGTERM')
    const [code] = await ended
    process.stdout.write(`SIGTERM: exit ${code}\n`)
    if (code !== 0) process.exitCode = 1
  }
}

async function writeSettings(to: string): Promise<void> {
  const authority = await createCertificateAuthority({ name: 'Image', keyType: 'P-256' })
  const pair = await issueCertificate({ subject: 'localhost', issuer: authority, keyType: 'P-256', dns: ['localhost'] })
  writeFileSync(join(to, 'as.pem'), pair.certificate)
  writeFileSync(join(to, 'as.key'), pair.key)
  const settings = {
    issuer: 'https://localhost:38443',
    listen: { public: { port: 38_443, certificate: 'as.pem', key: 'as.key' }, mutualTls: { port: 39_443 } },
    operations: { port: 9464 },
    store: { file: '/var/lib/holdfast/holdfast.db' },
    apis: [{ identifier: 'https://api.example.com', scopes: ['api1'] }],
  }
  writeFileSync(join(to, 'holdfast.yaml'), JSON.stringify(settings))
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile()
}
