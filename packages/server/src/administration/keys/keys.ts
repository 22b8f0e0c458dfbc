import type { Seconds } from '@holdfast/pop'
import type { SigningAlgorithm, SigningKey } from '../../model/signing-key.ts'
import type { AdministrationContext } from '../administration-context.ts'
import { AdministrationError } from '../administration-error.ts'
import { revokeSigningKey, rotateSigningKey } from './signing-keys.ts'

/** A signing key as it is shown: never its private half. */
export interface ShownKey extends Pick<SigningKey, 'kid' | 'algorithm'> {
  /** `published`: of a signer that the application brings, which alone knows more. */
  readonly stage: SigningKey['stage'] | 'published'
  readonly created?: Seconds
  /** Since when it has been at its stage. */
  readonly since?: Seconds
  /** Until when a retired key stays published. */
  readonly expires?: Seconds
}

/** The signing keys, in the order of their making. */
export async function listKeys(
  _data: object,
  { store, signer, signsOutside, now }: Pick<AdministrationContext, 'store' | 'signer' | 'signsOutside' | 'now'>,
): Promise<{ readonly keys: readonly ShownKey[] }> {
  if (signsOutside)
    return { keys: signer.published(now()).map(({ kid, algorithm }) => ({ kid, algorithm, stage: 'published' })) }
  return { keys: (await store.listSigningKeys()).map(shown) }
}

/** The next key of an algorithm signs from now on, or of every algorithm; tokens that are out stay valid. */
export async function rotateKeys(
  { algorithm }: { readonly algorithm?: string | undefined },
  context: AdministrationContext,
): Promise<{ readonly rotated: readonly SigningAlgorithm[]; readonly keys: readonly ShownKey[] }> {
  requireInside(context)
  const { store, signer } = context
  const held = new Set((await store.listSigningKeys()).map((key) => key.algorithm))
  const rotated = [...held].filter((each) => algorithm === undefined || each === algorithm)
  if (rotated.length === 0)
    throw new AdministrationError(
      'unknown',
      `There is no signing key for "${algorithm}". Those there are: ${[...held].join(', ')}.`,
    )
  const lifetime = await longestLifetime(context)
  for (const each of rotated) await rotateSigningKey({ algorithm: each, lifetime, actor: 'operator' }, context)
  await signer.reload()
  return { rotated, ...(await listKeys({}, context)) }
}

/** Takes a key away that somebody else may have: what it signed is worth nothing from now on. */
export async function revokeKey(
  { kid }: { readonly kid: string },
  context: AdministrationContext,
): Promise<{ readonly keys: readonly ShownKey[] }> {
  requireInside(context)
  if (!(await revokeSigningKey({ kid, actor: 'operator' }, context)))
    throw new AdministrationError('unknown', `There is no signing key "${kid}". \`holdfast key list\` names them.`)
  await context.signer.reload()
  return await listKeys({}, context)
}

/**
 * Rotates the keys that have signed for so long already. Of several nodes one does.
 * @param age seconds since a key became active
 */
export async function rotateOldKeys(
  age: Seconds,
  context: AdministrationContext,
): Promise<readonly SigningAlgorithm[]> {
  const { store, signer, now } = context
  const since = now() - age
  const old = (await store.listSigningKeys()).filter((key) => key.stage === 'active' && key.since <= since)
  const rotated: SigningAlgorithm[] = []
  for (const { algorithm } of old) {
    const rotation = { algorithm, lifetime: await longestLifetime(context), since, actor: 'server' } as const
    if (await rotateSigningKey(rotation, context)) rotated.push(algorithm)
  }
  if (rotated.length > 0) await signer.reload()
  return rotated
}

function requireInside({ signsOutside }: Pick<AdministrationContext, 'signsOutside'>): void {
  if (signsOutside)
    throw new AdministrationError(
      'read_only',
      'The signing keys are not kept here: the application brings its own signer. Rotate and revoke them where they are.',
    )
}

/** Clocks of APIs may be this far behind. */
const skew: Seconds = 300

/** How long a token can live that was signed just now. */
async function longestLifetime({
  settings,
  store,
}: Pick<AdministrationContext, 'settings' | 'store'>): Promise<Seconds> {
  const clients = [...settings.clients, ...(await store.listClients())]
  return (
    skew +
    Math.max(
      settings.accessTokens.lifetime,
      ...settings.apis.map(({ accessTokens }) => accessTokens.lifetime),
      ...clients.map(({ access_token_lifetime }) => access_token_lifetime ?? 0),
    )
  )
}

function shown(key: SigningKey): ShownKey {
  const { kid, algorithm, stage, created } = key
  return {
    kid,
    algorithm,
    stage,
    created,
    ...(key.stage === 'next' ? {} : { since: key.since }),
    ...(key.stage === 'retired' ? { expires: key.expires } : {}),
  }
}
