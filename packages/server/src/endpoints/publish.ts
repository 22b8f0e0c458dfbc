import { hash } from 'node:crypto'
import type { Inbound, Seconds } from '@holdfast/pop'
import type { Outbound } from './endpoint.ts'

/** What is particular about a document. */
interface Published {
  readonly type?: string
  /** How long it may be kept. */
  readonly lifetime?: Seconds
}

/** Answers with a public document: for everybody, cacheable, and 304 to who has it already. RFC 9110 §13.1.2. */
export function publish(
  body: string,
  { headers }: Inbound,
  { type = 'application/json', lifetime = 300 }: Published = {},
): Outbound {
  const etag = `"${hash('sha256', body, 'base64url').slice(0, 22)}"`
  const common = { 'cache-control': `public, max-age=${lifetime}`, etag, 'access-control-allow-origin': '*' }
  const known = headers['if-none-match']
    ?.join()
    .split(',')
    .some((tag) => tag.trim().replace(/^W\//, '') === etag)
  if (known) return { status: 304, headers: common, body: '' }
  return { status: 200, headers: { ...common, 'content-type': type }, body }
}
