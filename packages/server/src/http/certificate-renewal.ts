import type { Clock } from '@holdfast/pop'
import type { Report } from '../ports/report.ts'
import { type Listener, type Settings, SettingsError } from '../settings.ts'
import { createEndWatch } from './certificate-end.ts'
import type { Listening } from './listeners.ts'

/** How often the files are looked at, in milliseconds. */
const interval = 1000

/** The listeners by their name in the settings. */
export interface Listenings {
  readonly public: Listening
  readonly mutualTls?: Listening
}

/**
 * Serves certificates that were replaced on the disk, without a connection being dropped, and tells when one is about to end. Files that cannot be used are
 * reported once and change nothing: what was served before stays.
 * @param first what is served now, as PEM texts
 * @param read reads the files anew, and throws SettingsError when they cannot be used
 * @returns what is served at present, and how to stop looking
 */
export function renewCertificates(
  listenings: Listenings,
  first: Settings['listen'],
  read: () => Settings['listen'],
  { now, report }: { readonly now: Clock; readonly report: (report: Report) => void },
): { readonly served: () => Settings['listen']; readonly stop: () => void } {
  let served = first
  const watchEnd = createEndWatch(now, report)
  let complaint: string | undefined

  const replace = (listening: Listening | undefined, before: Listener | undefined, found: Listener | undefined) => {
    if (!listening || !found || (found.certificate === before?.certificate && found.key === before.key)) return
    listening.useCertificate(found)
    report({ level: 'info', event: 'certificate_replaced', seen: found.origin })
  }
  const look = () => {
    try {
      const found = read()
      complaint = undefined
      replace(listenings.public, served.public, found.public)
      replace(listenings.mutualTls, served.mutualTls, found.mutualTls)
      served = found
      for (const listener of [served.public, served.mutualTls]) if (listener) watchEnd(listener)
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error
      if (error.message !== complaint) report({ level: 'error', event: 'certificate_unusable', seen: error.message })
      complaint = error.message
    }
  }
  const timer = setInterval(look, interval).unref()
  return { served: () => served, stop: () => clearInterval(timer) }
}
