import { hash } from 'node:crypto'
import { formPostScript } from './form-post.ts'
import type { Look } from './look.ts'

/** What a page may do beside showing itself. */
export interface PageUse {
  /** The client to which its form may lead in the end: browsers hold redirects to `form-action` too. */
  readonly redirectUri?: string | undefined
  /** It is the page of `response_mode=form_post`. */
  readonly submits?: boolean | undefined
  /** It has scripts of its own, in files beside it, and they call these origins. */
  readonly calls?: readonly string[] | undefined
}

/** The headers of every page. */
export function pageHeaders(look: Look, use: PageUse = {}): Readonly<Record<string, string>> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-language': look.language,
    'cache-control': 'no-store',
    'content-security-policy': contentSecurityPolicy(look, use),
    'referrer-policy': 'no-referrer',
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
  }
}

function contentSecurityPolicy({ style, logo }: Look, { redirectUri, submits, calls }: PageUse): string {
  return [
    "default-src 'none'",
    `style-src ${sourceOf(style)}`,
    ...(logo === undefined ? [] : ['img-src data:']),
    ...(submits ? [`script-src ${sourceOf(formPostScript)}`] : []),
    ...(calls ? ["script-src 'self'", `connect-src ${calls.join(' ')}`, "require-trusted-types-for 'script'"] : []),
    `form-action ${["'self'", ...(redirectUri === undefined ? [] : formTargets(redirectUri))].join(' ')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')
}

/** A source expression for a style or script that stands in the page. CSP 3 §2.3.1. */
function sourceOf(text: string): string {
  return `'sha256-${hash('sha256', text, 'base64')}'`
}

/**
 * Where a form may lead. Chromium holds every redirect that follows to it, those of the client's too, which may go on to
 * another host of theirs: so the web is allowed as a whole. A loopback client has its own address besides, by its scheme
 * where the grammar of the policy cannot say it (IPv6); an app has its scheme.
 */
function formTargets(redirectUri: string): readonly string[] {
  const { protocol, host, origin } = new URL(redirectUri)
  if (protocol === 'https:') return ['https:']
  if (protocol !== 'http:') return [protocol]
  return ['https:', /^[a-z0-9.-]+(:\d+)?$/.test(host) ? origin : 'http:']
}
