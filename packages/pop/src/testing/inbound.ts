import type { Inbound } from '../foundation/inbound.ts'

/** Builds a request with an access token, as a guard sees it. What is given goes before what is usual. */
export function inboundWith(token: string, changes: Partial<Inbound> = {}): Inbound {
  return { method: 'GET', url: 'https://api.test/orders', headers: { authorization: [`Bearer ${token}`] }, ...changes }
}
