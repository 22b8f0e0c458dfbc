import type { ResponseTarget } from '../../authorization/declined.ts'
import { renderFormPost } from '../../pages/form-post.ts'
import type { Look } from '../../pages/look.ts'
import type { Settings } from '../../settings.ts'
import type { Outbound } from '../endpoint.ts'
import { answerPage, seeOther } from './page.ts'

/**
 * Answers the client through the browser, by the response mode that it asked for, and says whose answer it is.
 * RFC 6749 §4.1.2, RFC 9207 §2, OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode §2.
 */
export function respondToClient(
  { redirectUri, responseMode, state }: ResponseTarget,
  answer: Readonly<Record<string, string>>,
  { look, settings, cookies = [] }: { look: Look; settings: Settings; cookies?: readonly string[] },
): Outbound {
  const parameters = { ...answer, ...(state !== undefined && { state }), iss: settings.issuer }
  if (responseMode === 'form_post') {
    const page = renderFormPost({ redirectUri, parameters: Object.entries(parameters) }, look)
    return answerPage(page, look, { use: { redirectUri, submits: true }, cookies })
  }
  const joint = responseMode === 'fragment' ? '#' : redirectUri.includes('?') ? '&' : '?'
  return seeOther(`${redirectUri}${joint}${new URLSearchParams(parameters)}`, cookies)
}
