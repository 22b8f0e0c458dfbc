import type { Report } from '../../ports/report.ts'
import type { AdministrationContext } from '../administration-context.ts'
import { rotateOldKeys } from './keys.ts'

/** How often it is looked whether a signing key is old, in milliseconds. */
const interval = 3_600_000

/** Lets signing keys that have served their time hand over: looks each hour, and once now. */
export function rotateRegularly(
  context: AdministrationContext,
  report: (report: Report) => void,
): { readonly stop: () => void } {
  const { rotateEvery } = context.settings.keys
  if (rotateEvery === 'never' || context.signsOutside) return { stop: () => {} }
  const look = async (): Promise<void> => {
    try {
      const rotated = await rotateOldKeys(rotateEvery * 86_400, context)
      if (rotated.length > 0) report({ level: 'info', event: 'keys_rotated', seen: rotated.join(' ') })
    } catch (cause) {
      report({ level: 'error', event: 'keys_not_rotated', cause })
    }
  }
  void look()
  const timer = setInterval(() => void look(), interval).unref()
  return { stop: () => clearInterval(timer) }
}
