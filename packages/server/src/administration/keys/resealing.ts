import type { Resealed } from '../../ports/store.ts'
import type { AdministrationContext } from '../administration-context.ts'
import type { Label } from './sealing.ts'
import { secretLabel } from './server-secret.ts'
import { signingKeyLabel } from './signing-keys.ts'

/** What came of sealing everything again. */
export interface Resealing {
  /** How many were sealed under the first encryption key just now. */
  readonly resealed: number
  /** What is still not: kids of signing keys, or `secret`. */
  readonly left: readonly string[]
  /** The file of the first encryption key. */
  readonly encryptionKey: string
}

type SealedContext = Pick<AdministrationContext, 'store' | 'sealing' | 'secret'>

/**
 * Seals the signing keys and the secret under the first encryption key, those that are not yet. Nodes may run, and
 * several may do this at once: each replaces only what is still as it has read it.
 */
export async function resealKeys(_data: object, context: AdministrationContext): Promise<Resealing> {
  const { store, audit, settings } = context
  const outdated = await listOutdated(context)
  const keys = outdated.flatMap(({ label, from, sealed }) =>
    label.kind === 'signing key' && sealed !== undefined ? [{ kid: label.id, from, sealed }] : [],
  )
  const secret = outdated.find((each): each is Outdated & Resealed => each.label === secretLabel && 'sealed' in each)
  const count = keys.length + (secret ? 1 : 0)
  const resealed =
    count === 0
      ? 0
      : await store.audited({
          verb: 'reseal',
          data: { keys, ...(secret && { secret: { from: secret.from, sealed: secret.sealed } }) },
          audit: audit({ event: 'keys_resealed', actor: 'operator', details: { count } }),
        })
  return {
    resealed,
    left: (await listOutdated(context)).map(({ label }) => nameOf(label)),
    encryptionKey: settings.keys.encryptionKey ?? '',
  }
}

/** Names what is sealed under another than the first encryption key, or under none that is known. */
export async function namesOfOutdated(context: SealedContext): Promise<readonly string[]> {
  return (await listOutdated(context)).map(({ label }) => nameOf(label))
}

/** Something that is not sealed under the first encryption key. */
interface Outdated {
  readonly label: Label
  readonly from: string
  /** As it would be, where a key opens it. */
  readonly sealed?: string
}

async function listOutdated({ store, sealing, secret }: SealedContext): Promise<readonly Outdated[]> {
  const kept = [
    ...(await store.listSigningKeys()).map(({ kid, sealed }) => ({ label: signingKeyLabel(kid), from: sealed })),
    // There is one since the start: this only reads it.
    { label: secretLabel, from: await store.ensureSecret({ sealed: sealing.seal(secretLabel, secret) }) },
  ]
  return kept.flatMap(({ label, from }) => {
    const opened = sealing.open(label, from)
    if (opened?.isCurrent) return []
    return [{ label, from, ...(opened && { sealed: sealing.seal(label, opened.bytes) }) }]
  })
}

function nameOf({ kind, id }: Label): string {
  return kind === 'server secret' ? 'secret' : id
}
