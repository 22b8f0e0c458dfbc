import { isKeyFor, type Primitives, type PublicJwk, parsePublicJwk, type Seconds } from '@holdfast/pop'
import type { SigningAlgorithm } from '../../model/signing-key.ts'
import type { Report } from '../../ports/report.ts'
import {
  type ActiveKey,
  type OutsideSigner,
  type PublishedKey,
  type Signer,
  SignerUnavailable,
} from '../../ports/signer.ts'
import { askedAlgorithmsOf, type Settings, SettingsError } from '../../settings.ts'

/** What adopting a signer needs. */
export interface AdoptionContext {
  readonly settings: Pick<Settings, 'accessTokens' | 'apis' | 'clients'>
  readonly primitives: Pick<Primitives, 'verify'>
  readonly now: () => Seconds
  readonly report: (report: Report) => void
}

/** How long a signature and a look for new keys may take, how often to look, and how soon to try again: milliseconds. */
const patience = { signature: 2000, reload: 10_000 } as const
const reloadInterval = 15_000
const probeInterval = 1000

/** So many failures in a row are an outage: then nothing is asked of the signer but whether it is back. */
const mostFailures = 3

/**
 * Puts a signer that an application brings behind a deadline, and checks what it gives: a signature that does not verify
 * leaves us as little as none. While it fails, `active` throws before anything is used up.
 * @throws {@link SettingsError} when it lacks a key that the settings ask for
 */
export async function adoptSigner(signer: OutsideSigner, context: AdoptionContext): Promise<Signer & Disposable> {
  const { report, primitives, now } = context
  let published = await firstKeys(signer, now())
  requireKeys(signer, published, context)
  const wrapped = new WeakMap<ActiveKey, ActiveKey>()
  const circuit = createCircuit((algorithm) => attempt(activeKey(signer, algorithm), probed), report)

  async function reload(): Promise<void> {
    try {
      await within(patience.reload, () => signer.reload())
      published = parsePublished(signer.published(now()))
    } catch (cause) {
      report({ level: 'warn', event: 'signer_not_reloaded', cause })
    }
  }
  const reloading = setInterval(() => void reload(), reloadInterval).unref()

  function publishedKey({ kid, algorithm }: ActiveKey): PublicJwk {
    const find = () => published.find((each) => each.kid === kid && each.algorithm === algorithm)?.key
    const known = find()
    if (known) return known
    published = parsePublished(signer.published(now()))
    const found = find()
    if (!found) throw new Error(`The signer does not publish the key ${kid} with which it signs.`)
    return found
  }

  async function attempt(key: ActiveKey, data: Uint8Array): Promise<Uint8Array> {
    const verifying = publishedKey(key)
    const signature = await within(patience.signature, () => key.sign(data))
    if (await primitives.verify(key.algorithm, verifying, data, signature)) return signature
    throw new Error(`A signature of the signer does not verify with the key ${key.kid} that it publishes.`)
  }

  async function sign(key: ActiveKey, data: Uint8Array): Promise<Uint8Array> {
    try {
      const signature = await attempt(key, data)
      circuit.succeeded(key.algorithm)
      return signature
    } catch (cause) {
      circuit.failed(key.algorithm, cause)
      throw new SignerUnavailable('The signer did not sign.', { cause })
    }
  }

  function wrap(key: ActiveKey): ActiveKey {
    const known = wrapped.get(key)
    if (known) return known
    const { kid, algorithm } = key
    const made: ActiveKey = { kid, algorithm, sign: (data) => sign(key, data) }
    wrapped.set(key, made)
    return made
  }

  return {
    active(algorithm) {
      if (circuit.isOpen(algorithm)) throw new SignerUnavailable('The signer has failed, and is not back yet.')
      return wrap(activeKey(signer, algorithm))
    },
    published: () => published,
    reload,
    [Symbol.dispose]() {
      clearInterval(reloading)
      circuit.close()
    },
  }
}

/** Counts failures in a row. After too many it asks once a second whether that is over, and tells of both. */
function createCircuit(attempt: (algorithm: SigningAlgorithm) => Promise<unknown>, report: AdoptionContext['report']) {
  const failures = new Map<SigningAlgorithm, number>()
  const isOpen = (algorithm: SigningAlgorithm): boolean => (failures.get(algorithm) ?? 0) >= mostFailures

  function succeeded(algorithm: SigningAlgorithm): void {
    if (isOpen(algorithm)) report({ level: 'info', event: 'signer_available', seen: algorithm })
    failures.delete(algorithm)
  }

  function failed(algorithm: SigningAlgorithm, cause: unknown): void {
    const count = (failures.get(algorithm) ?? 0) + 1
    failures.set(algorithm, count)
    if (count !== mostFailures) return
    report({ level: 'error', event: 'signer_unavailable', seen: algorithm, cause })
    probe(algorithm)
  }

  function probe(algorithm: SigningAlgorithm): void {
    setTimeout(async () => {
      if (!isOpen(algorithm)) return
      try {
        await attempt(algorithm)
        succeeded(algorithm)
      } catch {
        probe(algorithm)
      }
    }, probeInterval).unref()
  }

  return { isOpen, succeeded, failed, close: () => failures.clear() }
}

/** @throws {@link SignerUnavailable} */
function activeKey(signer: OutsideSigner, algorithm: SigningAlgorithm): ActiveKey {
  try {
    const key = signer.active(algorithm)
    if (key.algorithm === algorithm) return key
    throw new Error(`The signer gives a key for ${key.algorithm} where one for ${algorithm} is asked for.`)
  } catch (cause) {
    throw new SignerUnavailable(`The signer has no key for ${algorithm}.`, { cause })
  }
}

/** Stands for the signer of an application in commands that run without that. */
export const absentSigner: Signer = {
  active() {
    throw new SignerUnavailable('The application that has the signing keys is not here.')
  },
  published: () => [],
  reload: async () => {},
}

const probed = new TextEncoder().encode('Holdfast asks whether the signer is back.')

async function firstKeys(signer: OutsideSigner, now: Seconds): Promise<readonly PublishedKey[]> {
  try {
    await within(patience.reload, () => signer.reload())
    return parsePublished(signer.published(now))
  } catch (cause) {
    throw new SettingsError(`signer: cannot say which keys it has (${messageOf(cause)}).`, { cause })
  }
}

/** Public halves only, whatever was handed over, each for its own algorithm and under a name of its own. */
function parsePublished(keys: readonly PublishedKey[]): readonly PublishedKey[] {
  const names = new Set<string>()
  return keys.map(({ kid, algorithm, key }) => {
    const jwk = parsePublicJwk(key)
    if (!jwk || !isKeyFor(algorithm, jwk))
      throw new Error(`The signer's key ${kid} is no public key for ${algorithm}, as a JWK without its private half.`)
    if (names.has(kid)) throw new Error(`The signer has two keys of the name ${kid}.`)
    names.add(kid)
    return { kid, algorithm, key: jwk }
  })
}

function requireKeys(signer: OutsideSigner, published: readonly PublishedKey[], { settings }: AdoptionContext): void {
  for (const algorithm of new Set([...askedAlgorithmsOf(settings), ...signer.algorithms])) {
    if (!signer.algorithms.includes(algorithm))
      throw new SettingsError(
        `signer: has no key for ${algorithm}, which accessTokens, apis or clients ask for. Write one of: ${signer.algorithms.join(', ')}.`,
      )
    const kid = firstKid(signer, algorithm)
    if (!published.some((each) => each.kid === kid && each.algorithm === algorithm))
      throw new SettingsError(`signer: does not publish the key ${kid} with which it signs ${algorithm}.`)
  }
}

function firstKid(signer: OutsideSigner, algorithm: SigningAlgorithm): string {
  try {
    return activeKey(signer, algorithm).kid
  } catch (cause) {
    throw new SettingsError(`signer: has no key that signs ${algorithm} now.`, { cause })
  }
}

async function within<Answer>(milliseconds: number, work: () => Answer | PromiseLike<Answer>): Promise<Answer> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`It took longer than ${milliseconds} ms.`)), milliseconds)
  try {
    return await Promise.race([work(), late])
  } finally {
    clearTimeout(timer)
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
