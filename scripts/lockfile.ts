import { spawnSync } from 'node:child_process'
import { report, root, textOf } from './files.ts'

/** The lock file is complete on every platform, and no dependency runs a script when it is installed. */
const { packages } = JSON.parse(textOf('package-lock.json')) as {
  packages: Record<string, { hasInstallScript?: true }>
}
const scripted = Object.entries(packages)
  .filter(([path, { hasInstallScript }]) => path !== '' && hasInstallScript)
  .map(([path]) => `${path} has an install script`)

const dryRun = spawnSync('npm', ['ci', '--dry-run', '--ignore-scripts'], { cwd: root, encoding: 'utf8' })
const said = `${dryRun.stdout}${dryRun.stderr}`
const missing = said.split('\n').filter((line) => line.includes('Missing:'))
const refused = dryRun.status === 0 ? [] : [`npm ci --dry-run failed:\n${said}`]

report([...scripted, ...missing, ...refused], 'The lock file is complete; no dependency has an install script.')
