#!/usr/bin/env node
// Plain JavaScript that old versions of Node can read: it says which one is needed before anything else is loaded.
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < 24 || (major === 24 && minor < 16)) {
  process.stderr.write(`holdfast needs Node 24.16 or later, and this is ${process.versions.node}.\n`)
  process.exitCode = 1
} else {
  const { enableCompileCache } = await import('node:module')
  const { fileURLToPath } = await import('node:url')
  // In the environment, so that the store's thread shares it; within the package, where no other user can write.
  process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../node_modules/.cache', import.meta.url))
  enableCompileCache()
  const { main } = await import('../src/cli/main.ts')
  // A command that waits only for what does not keep a process alive, such as an idle connection's end, is not done.
  const alive = setInterval(() => {}, 60_000)
  try {
    process.exitCode = await main(process.argv.slice(2))
  } finally {
    clearInterval(alive)
  }
}
