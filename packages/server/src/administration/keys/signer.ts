import type { KeyObject } from 'node:crypto'
import { signBy } from '@holdfast/pop/certificates'
import type { SigningAlgorithm, SigningKey } from '../../model/signing-key.ts'
import type { ActiveKey, PublishedKey, Signer } from '../../ports/signer.ts'
import type { Store } from '../../ports/store.ts'
import type { Sealing } from './sealing.ts'
import { openPublicHalf, openSealedKey } from './signing-keys.ts'

/** What a signer is made of. */
export interface SignerParts {
  readonly store: Pick<Store, 'listSigningKeys'>
  readonly sealing: Sealing
}

/**
 * Reads the signing keys of a store into memory: of active ones the private half, of all the public one, which is taken
 * from what is sealed. Who can write in the database, and knows no encryption key, gets no key of their own published.
 * @throws SettingsError when no encryption key is the one under which they were sealed
 */
export async function createSigner({ store, sealing }: SignerParts): Promise<Signer> {
  let ring = renderRing(await store.listSigningKeys(), sealing)
  return {
    active(algorithm) {
      const key = ring.active.get(algorithm)
      if (!key) throw new Error(`There is no active signing key for ${algorithm}.`)
      return key
    },
    published: (now) => ring.published.filter(({ expires }) => expires > now),
    async reload() {
      ring = renderRing(await store.listSigningKeys(), sealing, ring)
    },
  }
}

interface Ring {
  readonly active: ReadonlyMap<SigningAlgorithm, ActiveKey>
  readonly published: readonly Published[]
}

interface Published extends PublishedKey, Pick<SigningKey, 'sealed'> {
  readonly expires: number
}

function renderRing(keys: readonly SigningKey[], sealing: Sealing, before?: Ring): Ring {
  const active = new Map<SigningAlgorithm, ActiveKey>()
  for (const key of keys) {
    if (key.stage !== 'active') continue
    const known = before?.active.get(key.algorithm)
    active.set(key.algorithm, known?.kid === key.kid ? known : createActiveKey(key, openSealedKey(key, sealing)))
  }
  return { active, published: keys.map((key) => renderPublished(key, sealing, before)) }
}

function renderPublished(key: SigningKey, sealing: Sealing, before?: Ring): Published {
  const { kid, algorithm, sealed } = key
  const known = before?.published.find((each) => each.kid === kid && each.sealed === sealed)
  const expires = key.stage === 'retired' ? key.expires : Number.POSITIVE_INFINITY
  return { kid, algorithm, sealed, expires, key: known?.key ?? openPublicHalf(key, sealing) }
}

function createActiveKey({ kid, algorithm }: SigningKey, key: KeyObject): ActiveKey {
  return { kid, algorithm, sign: (data) => signBy(algorithm, key, data) }
}
