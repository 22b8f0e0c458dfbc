import type { Command } from 'commander'
import type { Terminal } from './terminal.ts'

/** A command: its name, what it does, and how it is defined. It is loaded when it is called, and not before. */
export interface CommandEntry {
  readonly name: string
  readonly does: string
  load(): Promise<(command: Command, terminal: Terminal) => void>
}

/** Every command, in the order of the help. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'demo',
    does: 'Show the whole story on real servers: a bound token, the call, the thefts refused.',
    load: async () => (await import('./demo.ts')).defineDemo,
  },
  {
    name: 'dev',
    does: 'Run a seeded server and a sample API on localhost, with data under ./.holdfast.',
    load: async () => (await import('./dev.ts')).defineDev,
  },
  {
    name: 'serve',
    does: 'Run the authorization server.',
    load: async () => (await import('./serve.ts')).defineServe,
  },
  {
    name: 'token',
    does: 'Get an access token that is bound to a key: of a certificate, or for DPoP.',
    load: async () => (await import('./token.ts')).defineToken,
  },
  {
    name: 'login',
    does: 'Sign in through a browser, for a token that is bound to a key made on the fly.',
    load: async () => (await import('./login.ts')).defineLogin,
  },
  {
    name: 'logout',
    does: 'End the session of this folder, here and at the server.',
    load: async () => (await import('./logout.ts')).defineLogout,
  },
  {
    name: 'call',
    does: 'Call an API with that token, prove its key, and say why the API refuses.',
    load: async () => (await import('./call.ts')).defineCall,
  },
  {
    name: 'steal',
    does: 'Try to use a token without its key; exit 0 only when every theft is refused.',
    load: async () => (await import('./steal.ts')).defineSteal,
  },
  {
    name: 'inspect',
    does: 'Read a token, a DPoP proof or a certificate, and verify it.',
    load: async () => (await import('./inspect.ts')).defineInspect,
  },
  {
    name: 'cert',
    does: 'Make certificates and CAs, and read them: new, ca, thumbprint, inspect.',
    load: async () => (await import('./cert.ts')).defineCert,
  },
  {
    name: 'client',
    does: 'Manage the clients in the store: add, list, show, edit, remove.',
    load: async () => (await import('./client.ts')).defineClient,
  },
  {
    name: 'key',
    does: 'Manage the keys that sign tokens: list, rotate, revoke, reseal.',
    load: async () => (await import('./key.ts')).defineKey,
  },
  {
    name: 'audit',
    does: 'Read the audit log, and verify that nobody changed it: list, verify, export.',
    load: async () => (await import('./audit.ts')).defineAudit,
  },
  {
    name: 'backup',
    does: 'Copy the database, also while a server runs.',
    load: async () => (await import('./backup.ts')).defineBackup,
  },
  {
    name: 'restore',
    does: 'Put a copy in the place of the database, and end what was under way.',
    load: async () => (await import('./backup.ts')).defineRestore,
  },
  {
    name: 'config',
    does: 'Check and print settings: check, print, schema.',
    load: async () => (await import('./config.ts')).defineConfig,
  },
]
