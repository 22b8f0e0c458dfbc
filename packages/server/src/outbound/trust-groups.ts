import { readFile, stat } from 'node:fs/promises'
import { type Clock, Refused, type Seconds } from '@holdfast/pop'
import { parseCrls, parsePem, verifyPath } from '@holdfast/pop/certificates'
import type { Trust } from '../context.ts'

/** How long the verdict on a connection's chain serves, and how often a revocation list is looked at. */
const lifetime: Seconds = 60

/** A group whose files have been read. */
export interface TrustGroup {
  /** The CA certificates, in PEM. */
  readonly ca: string
  /** The file of revocation lists. */
  readonly crl?: string | undefined
}

interface Verdict {
  readonly group: string
  readonly crls: readonly Buffer[] | undefined
  readonly until: Seconds
}

/**
 * Judges chains by the CAs of one group, never the system's and never another group's. RFC 8705 §2.1, §7.4.
 * What a connection sent is judged once a minute.
 */
export function createTrust(groups: Readonly<Record<string, TrustGroup>>, now: Clock): Trust {
  const known = new Map(
    Object.entries(groups).map(([name, { ca, crl }]) => [
      name,
      { anchors: parsePem(ca), crls: crl === undefined ? undefined : crlFile(crl, now) },
    ]),
  )
  const verdicts = new WeakMap<readonly string[], Verdict>()
  return {
    async verifyPath(name, chain, moment) {
      const group = known.get(name)
      if (!group) throw new Refused('client_certificate_path', { seen: `no trust group ${name}` })
      const crls = await group.crls?.()
      const last = verdicts.get(chain)
      if (last && last.group === name && last.crls === crls && moment < last.until) return
      const ders = chain.map((each) => Buffer.from(each, 'base64'))
      await verifyPath({ chain: ders, anchors: group.anchors, now: moment, ...(crls && { crls }) })
      verdicts.set(chain, { group: name, crls, until: moment + lifetime })
    },
  }
}

/** Reads a file of revocation lists again when it has changed. One that cannot be read refuses everybody. */
function crlFile(path: string, now: Clock): () => Promise<readonly Buffer[]> {
  let read: { readonly changed: number; readonly lists: readonly Buffer[] } | undefined
  let looked: Seconds = Number.NEGATIVE_INFINITY
  return async () => {
    if (read && now() - looked < 1) return read.lists
    try {
      const { mtimeMs } = await stat(path)
      if (read?.changed !== mtimeMs) read = { changed: mtimeMs, lists: parseCrls(await readFile(path, 'utf8')) }
      looked = now()
      return read.lists
    } catch (cause) {
      throw new Refused('client_certificate_revoked', { seen: `${path} cannot be read`, cause })
    }
  }
}
