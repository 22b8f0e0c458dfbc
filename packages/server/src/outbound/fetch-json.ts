import { lookup } from 'node:dns'
import { get } from 'node:https'
import { BlockList, type LookupFunction } from 'node:net'
import { type JsonObject, parseJsonObject } from '@holdfast/pop'

/** What one fetch may take: milliseconds and bytes. */
const patience = 5000
const mostBytes = 65_536

/** Addresses that are not for the public: RFC 6890 and its kin. */
const inner = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  inner.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['2001::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  inner.addSubnet(network, prefix, 'ipv6')
}

/** What may be fetched, and whom to trust. */
export interface Fetching {
  readonly allowPrivateAddresses: boolean
  /** PEM of CAs beside the system's. */
  readonly ca?: string | undefined
}

/**
 * Gets one JSON object: https, no redirect, 5 s, 64 KiB, and no inner address unless allowed. The address that is
 * judged is the one that is connected to.
 */
export function fetchJson(url: URL, { allowPrivateAddresses, ca }: Fetching): Promise<JsonObject> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(patience)
    const options = {
      signal,
      agent: false,
      rejectUnauthorized: true,
      headers: { accept: 'application/json' },
      ...(ca && { ca }),
      ...(!allowPrivateAddresses && { lookup: lookupPublic }),
    }
    if (!allowPrivateAddresses && isInner(url.hostname.replace(/^\[|\]$/g, '')))
      return reject(new Error(`${url.hostname} is a private address`))
    const request = get(url, options, (response) => {
      if (response.statusCode !== 200) return request.destroy(new Error(`${url.host} answered ${response.statusCode}`))
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        chunks.push(chunk)
        if (size > mostBytes) request.destroy(new Error(`${url.host} answered more than ${mostBytes} bytes`))
      })
      response.on('error', reject)
      response.on('end', () => {
        const json = parseJsonObject(Buffer.concat(chunks).toString('utf8'))
        if (json) resolve(json)
        else reject(new Error(`${url.host} did not answer a JSON object`))
      })
    })
    request.on('error', reject)
    // A connection that went over to another protocol ends without an error.
    signal.addEventListener('abort', () => reject(new Error(`${url.host} did not answer in time`)))
  })
}

const lookupPublic: LookupFunction = (hostname, options, answer) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const first = addresses?.[0]
    if (error || !first) return answer(error ?? new Error(`${hostname} has no address`), '', 4)
    if (addresses.some(({ address }) => isInner(address)))
      return answer(new Error(`${hostname} has a private address`), '', 4)
    if (options.all) answer(null, addresses)
    else answer(null, first.address, first.family)
  })
}

function isInner(address: string): boolean {
  return inner.check(address, 'ipv4') || (address.includes(':') && inner.check(address, 'ipv6'))
}
