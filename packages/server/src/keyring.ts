import { nodePrimitives } from '@holdfast/pop/certificates'
import type { AdministrationContext } from './administration/administration-context.ts'
import { absentSigner, adoptSigner } from './administration/keys/outside-signer.ts'
import { namesOfOutdated } from './administration/keys/resealing.ts'
import { createSealing } from './administration/keys/sealing.ts'
import { deriveKey, ensureServerSecret } from './administration/keys/server-secret.ts'
import { createSigner } from './administration/keys/signer.ts'
import { ensureSigningKeys } from './administration/keys/signing-keys.ts'
import type { Context } from './context.ts'
import type { OutsideSigner } from './ports/signer.ts'
import { signingAlgorithmsOf } from './settings.ts'
import { loadEncryptionKeys } from './store/encryption-key.ts'

/** The keys of a server. */
export interface Keyring extends Pick<AdministrationContext, 'sealing' | 'secret' | 'auditKey' | 'signer'>, Disposable {
  /** Signing keys are kept elsewhere. */
  readonly signsOutside: boolean
}

/**
 * Opens what the store keeps sealed, and makes what is missing; or adopts the signer of the application.
 * @throws {@link SettingsError} when no encryption key opens it
 */
export async function openKeyring(
  outside: OutsideSigner | undefined,
  { settings, store, now, report }: Pick<Context, 'settings' | 'store' | 'now' | 'report'>,
): Promise<Keyring> {
  const { random } = nodePrimitives
  const sealing = createSealing(loadEncryptionKeys(settings.keys), random)
  const secret = await ensureServerSecret({ store, sealing, random })
  const outdated = await namesOfOutdated({ store, sealing, secret })
  // What is sealed under a key that is to go would be lost with it.
  if (outdated.length > 0) report({ level: 'warn', event: 'keys_not_resealed', seen: outdated.join(' ') })
  const own = { sealing, secret, auditKey: deriveKey(secret, 'audit log') }
  if (outside) {
    const adopted = await adoptSigner(outside, { settings, primitives: nodePrimitives, now, report })
    return { ...own, signer: adopted, signsOutside: true, [Symbol.dispose]: () => adopted[Symbol.dispose]() }
  }
  const keeping = { ...own, [Symbol.dispose]: () => {} }
  if (settings.keys.signer === 'application') return { ...keeping, signer: absentSigner, signsOutside: true }
  await ensureSigningKeys(store, signingAlgorithmsOf(settings), sealing, now())
  return { ...keeping, signer: await createSigner({ store, sealing }), signsOutside: false }
}
