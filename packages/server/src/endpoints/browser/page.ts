import type { Inbound } from '@holdfast/pop'
import { type PageUse, pageHeaders } from '../../pages/headers.ts'
import { type Look, lookFor } from '../../pages/look.ts'
import type { Settings } from '../../settings.ts'
import type { Outbound } from '../endpoint.ts'

/** How a page looks to whoever asks for it. */
export function lookOf(
  { headers }: Pick<Inbound, 'headers'>,
  { pages }: Settings,
  uiLocales: readonly string[] = [],
): Look {
  return lookFor({ uiLocales, acceptLanguage: headers['accept-language']?.join() }, pages)
}

/** Answers with a page. */
export function answerPage(
  body: string,
  look: Look,
  { status = 200, use, cookies = [] }: { status?: number; use?: PageUse; cookies?: readonly string[] } = {},
): Outbound {
  return { status, headers: { ...pageHeaders(look, use), ...setting(cookies) }, body }
}

/** Sends the browser elsewhere, always to be fetched by GET: a form goes no further. RFC 9700 §4.12. */
export function seeOther(location: string, cookies: readonly string[] = []): Outbound {
  return {
    status: 303,
    headers: { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', ...setting(cookies) },
    body: '',
  }
}

function setting(cookies: readonly string[]): Outbound['headers'] {
  return cookies.length > 0 ? { 'set-cookie': cookies } : {}
}
