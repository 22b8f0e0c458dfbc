import { createECDH, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { CertificatePair } from '@holdfast/pop/certificates'

/** For tests: what the Transit engine of Vault answers about one key of type ecdsa-p256, and nothing else. */
export interface VaultStandIn {
  readonly address: string
  /** What it was asked, in order: the path, and the version of a signature. */
  readonly asked: string[]
  /** How it answers from now on. */
  behave(behaviour: 'well' | 'sealed' | 'hangs' | 'signs with another key'): void
  /** Makes the next version of the key, or takes the older ones away. */
  rotate(created?: Date): void
  trim(least: number): void
  close(): Promise<void>
}

/** For tests: starts the stand-in, which refuses whatever is not exactly as Vault's documentation has it. */
export async function startVaultStandIn(token: string, { certificate, key }: CertificatePair): Promise<VaultStandIn> {
  const versions: { readonly pair: ReturnType<typeof createPair>; readonly created: Date }[] = []
  const asked: string[] = []
  let behaviour: Parameters<VaultStandIn['behave']>[0] = 'well'
  let least = 1
  const rotate = (created = new Date()) => void versions.push({ pair: createPair(), created })
  rotate(new Date(Date.now() - 3_600_000))

  const answerOf = (method: string, path: string, body: string): object | string => {
    if (method === 'GET' && path === '/v1/transit/keys/tokens' && body === '') return describe()
    if (method === 'POST' && path === '/v1/transit/sign/tokens') return signature(JSON.parse(body))
    return `no handler for route "${path}"`
  }
  const describe = () => ({
    type: 'ecdsa-p256',
    name: 'tokens',
    derived: false,
    exportable: false,
    latest_version: versions.length,
    min_available_version: 0,
    min_decryption_version: least,
    min_encryption_version: 0,
    supports_signing: true,
    keys: Object.fromEntries(
      versions.flatMap(({ pair, created }, index) =>
        index + 1 < least
          ? []
          : [
              [
                String(index + 1),
                {
                  certificate_chain: '',
                  creation_time: created.toISOString(),
                  name: 'P-256',
                  public_key: pair.publicKey.export({ format: 'pem', type: 'spki' }),
                },
              ],
            ],
      ),
    ),
  })
  const signature = (wanted: Record<string, unknown>) => {
    const { input, key_version, ...rest } = wanted
    const expected = { prehashed: true, hash_algorithm: 'sha2-256', marshaling_algorithm: 'jws' }
    const isExact =
      JSON.stringify(Object.entries(rest).toSorted()) === JSON.stringify(Object.entries(expected).toSorted())
    if (!isExact || typeof input !== 'string') return `unexpected: ${JSON.stringify(wanted)}`
    const digest = Buffer.from(input, 'base64')
    if (digest.length !== 32 || digest.toString('base64') !== input) return 'the input is no SHA-256 in base64'
    const version = typeof key_version === 'number' && key_version >= least ? versions[key_version - 1] : undefined
    if (!version) return 'cannot sign with that version'
    asked.push(`signs with ${key_version}`)
    const { privateKey } = behaviour === 'signs with another key' ? createPair() : version.pair
    const bytes = signDigest(digest, privateKey)
    return { signature: `vault:v${key_version}:${bytes.toString('base64url')}`, key_version }
  }

  const server = createServer({ cert: certificate, key }, async (request, response) => {
    let body = ''
    for await (const part of request.setEncoding('utf8')) body += part
    asked.push(`${request.method} ${request.url}`)
    if (behaviour === 'hangs') return
    const answer = answerOf(request.method ?? '', request.url ?? '', body)
    const [status, sent] =
      request.headers['x-vault-token'] !== token
        ? [403, { errors: ['permission denied'] }]
        : behaviour === 'sealed'
          ? [503, { errors: ['Vault is sealed'] }]
          : typeof answer === 'string'
            ? [400, { errors: [answer] }]
            : [200, { request_id: 'a', lease_id: '', renewable: false, lease_duration: 0, data: answer }]
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(sent))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    // as: a TCP server that listens has an address of this kind.
    address: `https://localhost:${(server.address() as AddressInfo).port}`,
    asked,
    behave: (next) => {
      behaviour = next
    },
    rotate,
    trim: (version) => {
      least = version
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const createPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** ECDSA on P-256 over a hash that was made elsewhere, which Node's own functions do not offer. FIPS 186-5 §6.4.1. */
function signDigest(digest: Buffer, privateKey: KeyObject): Buffer {
  const once = createECDH('prime256v1')
  const secret = randomBytes(32)
  secret[0] = 1
  once.setPrivateKey(secret)
  const k = numberOf(secret)
  const d = numberOf(Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url'))
  const r = numberOf(once.getPublicKey().subarray(1, 33)) % order
  const s = (power(k, order - 2n) * (numberOf(digest) + r * d)) % order
  return Buffer.from([r, s].map((each) => each.toString(16).padStart(64, '0')).join(''), 'hex')
}

const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

const numberOf = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`)

function power(base: bigint, exponent: bigint): bigint {
  if (exponent === 0n) return 1n
  const half = power((base * base) % order, exponent >> 1n)
  return exponent & 1n ? (half * base) % order : half
}
