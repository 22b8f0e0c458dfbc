// An authorization server whose signing key stays in the Transit engine of HashiCorp Vault or OpenBao.
//
//   vault secrets enable transit && vault write -f transit/keys/tokens type=ecdsa-p256
//   VAULT_ADDR=https://vault.example.com:8200 VAULT_TOKEN=... node examples/signer-vault.ts holdfast.json
//
// With `keys: { "signer": "application" }` in the settings the command line knows of it too.
//
// The token needs `update` on transit/sign/tokens and `read` on transit/keys/tokens. Each version of the key is a key of
// ours: `vault write -f transit/keys/tokens/rotate` makes the next one, which signs a minute later, when APIs know it.
// `vault write transit/keys/tokens/config min_decryption_version=2` takes the first one away: an hour after the rotation
// to retire it, at once to revoke it.
import { createPublicKey, hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type ActiveKey, createAuthorizationServer, type OutsideSigner, type PublishedKey } from 'holdfast'

/** Where the key is. */
export interface VaultKey {
  readonly address: string
  readonly token: string
  /** Of the Transit engine. */
  readonly mount?: string
  /** Of type ecdsa-p256. */
  readonly name: string
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

/** How long a version is published before it signs, in seconds: APIs ask for keys again after 30, caches after 15. */
const settling = 60

/** A signer that has Vault sign. It sends the hash of a token only: what is in it stays here. */
export function createVaultSigner({ address, token, mount = 'transit', name, ...rest }: VaultKey): OutsideSigner {
  const { fetch = globalThis.fetch } = rest
  let versions: readonly Version[] = []

  async function ask(path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${address}/v1/${mount}/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'x-vault-token': token },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.timeout(2000),
    })
    const answer = (await response.json()) as { readonly data?: unknown; readonly errors?: readonly string[] }
    if (!response.ok) throw new Error(`Vault answers ${response.status}: ${answer.errors?.join(' ')}`)
    return answer.data
  }

  async function sign(version: number, data: Uint8Array): Promise<Uint8Array> {
    const { signature } = (await ask(`sign/${name}`, {
      input: hash('sha256', data, 'base64'),
      prehashed: true,
      hash_algorithm: 'sha2-256',
      key_version: version,
      marshaling_algorithm: 'jws',
    })) as { readonly signature: string }
    return Buffer.from(signature.replace(`vault:v${version}:`, ''), 'base64url')
  }

  async function reload(): Promise<void> {
    const key = (await ask(`keys/${name}`)) as VaultAnswer
    if (key.type !== 'ecdsa-p256') throw new Error(`The key ${name} is of type ${key.type}, not ecdsa-p256.`)
    versions = Object.entries(key.keys)
      .map(([number, { public_key, creation_time }]) => {
        const known = versions.find((each) => each.number === Number(number) && each.pem === public_key)
        return known ?? createVersion(Number(number), public_key, Date.parse(creation_time))
      })
      .toSorted((one, other) => one.number - other.number)
  }

  function createVersion(number: number, pem: string, created: number): Version {
    const kid = `${name}-v${number}`
    // as: Node writes a key on P-256 so.
    const key = createPublicKey(pem).export({ format: 'jwk' }) as PublishedKey['key']
    return {
      number,
      pem,
      created,
      published: { kid, algorithm: 'ES256', key },
      active: { kid, algorithm: 'ES256', sign: (data) => sign(number, data) },
    }
  }

  return {
    algorithms: ['ES256'],
    active() {
      const settled = versions.findLast(({ created }) => created <= Date.now() - settling * 1000)
      const version = settled ?? versions[0]
      if (!version) throw new Error(`Vault has no version of the key ${name}.`)
      return version.active
    },
    published: () => versions.map(({ published }) => published),
    reload,
  }
}

interface Version {
  readonly number: number
  readonly pem: string
  readonly created: number
  readonly published: PublishedKey
  readonly active: ActiveKey
}

/** What Vault says of a key: only the parts that are used here. */
interface VaultAnswer {
  readonly type: string
  /** Those from `min_decryption_version` on. */
  readonly keys: Readonly<Record<string, { readonly public_key: string; readonly creation_time: string }>>
}

if (import.meta.main) {
  const [, , file = 'holdfast.json'] = process.argv
  const {
    VAULT_ADDR: address = 'https://127.0.0.1:8200',
    VAULT_TOKEN: token = '',
    VAULT_KEY: name = 'tokens',
  } = process.env
  const server = await createAuthorizationServer(JSON.parse(await readFile(file, 'utf8')), {
    directory: dirname(file),
    signer: createVaultSigner({ address, token, name }),
    report: ({ level, event, cause }) => level !== 'info' && console.error(level, event, cause),
  })
  await server.listen()
  console.log(`listening: ${server.issuer}`)
  process.once('SIGTERM', () => void server.close())
}
