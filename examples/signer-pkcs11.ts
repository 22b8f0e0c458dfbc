// An authorization server whose signing keys stay in an HSM, reached by `pkcs11-tool` of OpenSC: no native add-on, and a
// process of its own for each signature, one after the other. That makes some 25 tokens a second: enough where clients use
// theirs for an hour, not for more. An add-on of your choice or a service before the HSM is faster.
//
//   pkcs11-tool --module $MODULE --token-label holdfast --login --keypairgen --key-type EC:prime256v1 --id 01
//   MODULE=/usr/lib/softhsm/libsofthsm2.so TOKEN=holdfast PIN=... IDS=01 node examples/signer-pkcs11.ts holdfast.json
//
// The first of IDS signs, the others are published only. To rotate: IDS=01,02 and restart, a minute later IDS=02,01 and
// restart, and IDS=02 when the longest token has expired.
import { execFile } from 'node:child_process'
import { createPublicKey, hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { type ActiveKey, createAuthorizationServer, type OutsideSigner, type PublishedKey } from 'holdfast'

/** Where the keys are: P-256, the one that signs first. */
export interface HsmKeys {
  /** The PKCS#11 library of the HSM. */
  readonly module: string
  /** The label of the token. */
  readonly token: string
  readonly pin: string
  readonly ids: readonly [string, ...(readonly string[])]
}

/** A signer that has an HSM sign. It gets the hash of a token only. */
export function createHsmSigner({ module, token, pin, ids }: HsmKeys): OutsideSigner {
  let keys: readonly PublishedKey[] = []
  let active: ActiveKey | undefined
  let last: Promise<unknown> = Promise.resolve()

  /** SoftHSM serves one process at a time and fails the others. A real HSM serves several. */
  function inTurn(parameters: readonly string[], input?: Uint8Array): Promise<Uint8Array> {
    const turn = last.then(() => run(parameters, input))
    last = turn.catch(() => {})
    return turn
  }

  /** The PIN is in the environment, since everybody may read the arguments of a process. */
  async function run(parameters: readonly string[], input?: Uint8Array): Promise<Uint8Array> {
    const running = promisify(execFile)('pkcs11-tool', ['--module', module, '--token-label', token, ...parameters], {
      encoding: 'buffer',
      env: { ...process.env, HSM_PIN: pin },
      timeout: 2000,
    })
    // A process that ends early, such as for a wrong PIN, does not read it.
    running.child.stdin?.on('error', () => {}).end(input)
    return (await running).stdout
  }

  async function readKey(id: string): Promise<PublishedKey> {
    const der = Buffer.from(await inTurn(['--read-object', '--type', 'pubkey', '--id', id]))
    // as: Node writes a key on P-256 so.
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' }).export({
      format: 'jwk',
    }) as PublishedKey['key']
    return { kid: hash('sha256', der, 'base64url'), algorithm: 'ES256', key }
  }

  function sign(id: string, data: Uint8Array): Promise<Uint8Array> {
    const login = ['--login', '--pin', 'env:HSM_PIN']
    const signing = ['--sign', '--id', id, '--mechanism', 'ECDSA', '--signature-format', 'rs']
    return inTurn([...login, ...signing], hash('sha256', data, 'buffer'))
  }

  return {
    algorithms: ['ES256'],
    active() {
      if (!active) throw new Error('The keys of the HSM were not read yet.')
      return active
    },
    published: () => keys,
    async reload() {
      if (active) return
      const read: PublishedKey[] = []
      for (const id of ids) read.push(await readKey(id))
      const [first] = read
      if (first) active = { kid: first.kid, algorithm: 'ES256', sign: (data) => sign(ids[0], data) }
      keys = read
    },
  }
}

if (import.meta.main) {
  const [, , file = 'holdfast.json'] = process.argv
  const { MODULE: module = '', TOKEN: token = 'holdfast', PIN: pin = '', IDS = '01' } = process.env
  const [first = '01', ...others] = IDS.split(',')
  const server = await createAuthorizationServer(JSON.parse(await readFile(file, 'utf8')), {
    directory: dirname(file),
    signer: createHsmSigner({ module, token, pin, ids: [first, ...others] }),
    report: ({ level, event, cause }) => level !== 'info' && console.error(level, event, cause),
  })
  await server.listen()
  console.log(`listening: ${server.issuer}`)
  process.once('SIGTERM', () => void server.close())
}
