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
  readonly crls: readonly Buffer[] | undefined
  /** The last moment at which it serves. */
  readonly until: Seconds
  /** Absent when the chain was accepted. */
  readonly refused?: Refused
}

/**
 * Judges chains by the CAs of one group, never the system's and never another group's. RFC 8705 §2.1, §7.4.
 * What a connection sent is judged once a minute, for better or worse: a stranger's request costs no judgement of its own.
 */
export function createTrust(groups: Readonly<Record<string, TrustGroup>>, now: Clock): Trust {
  const known = new Map(
    Object.entries(groups).map(([name, { ca, crl }]) => [
      name,
      {
        anchors: parsePem(ca),
        crls: crl === undefined ? undefined : crlFile(crl, now),
        verdicts: new WeakMap<readonly string[], Verdict>(),
      },
    ]),
  )
  return {
    async verifyPath(name, chain, moment) {
      const group = known.get(name)
      if (!group) throw new Refused('client_certificate_path', { seen: `no trust group ${name}` })
      const crls = await group.crls?.()
      const last = group.verdicts.get(chain)
      const serves = last && last.crls === crls && moment <= last.until
      const { until, refused } = serves ? last : await judge(chain, group.anchors, crls, moment)
      if (!serves) group.verdicts.set(chain, { crls, until, ...(refused && { refused }) })
      if (refused) throw refused
    },
  }
}

async function judge(
  chain: readonly string[],
  anchors: readonly Buffer[],
  crls: readonly Buffer[] | undefined,
  now: Seconds,
): Promise<Pick<Verdict, 'until' | 'refused'>> {
  const until = now + lifetime - 1
  try {
    const ders = chain.map((each) => Buffer.from(each, 'base64'))
    return { until: Math.min(until, await verifyPath({ chain: ders, anchors, now, ...(crls && { crls }) })) }
  } catch (cause) {
    if (!(cause instanceof Refused)) throw cause
    return { until, refused: cause }
  }
}

/** Reads a file of revocation lists again when it has changed. One that cannot be read refuses everybody. */
function crlFile(path: string, now: Clock): () => Promise<readonly Buffer[]> {
  let read: { readonly version: string; readonly lists: readonly Buffer[] } | undefined
  let looked: Seconds = Number.NEGATIVE_INFINITY
  let pending: Promise<readonly Buffer[]> | undefined
  const look = async () => {
    try {
      const { mtimeMs, size, ino } = await stat(path)
      const version = `${mtimeMs} ${size} ${ino}`
      if (read?.version !== version) read = { version, lists: parseCrls(await readFile(path, 'utf8')) }
      looked = now()
      return read.lists
    } catch (cause) {
      throw new Refused('client_certificate_revoked', { seen: `${path} cannot be read`, cause })
    }
  }
  return async () => {
    if (read && Math.abs(now() - looked) < 1) return read.lists
    pending ??= look().finally(() => {
      pending = undefined
    })
    return await pending
  }
}
