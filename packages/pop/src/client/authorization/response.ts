import type { Seconds } from '../../foundation/clock.ts'
import { equalInConstantTime } from '../../foundation/constant-time.ts'
import type { ServerMetadata } from '../../oauth/metadata.ts'
import { ClientError, shorten } from '../client-error.ts'
import type { PendingAuthorization } from './request.ts'

/** How long a person may take, from the first page to the answer. */
export const longestAuthorization: Seconds = 1800

/**
 * Reads what the browser brought back: it must belong to the sign-in that was begun, and come from the server that was
 * asked. Nothing was sent yet when this refuses. RFC 6749 §4.1.2, RFC 9207 §2.4, RFC 9700 §4.7.
 *
 * Whether the answer was read before is for the caller to know.
 *
 * @returns the code
 * @throws {@link ClientError} `parameter_repeated`, `state_missing`, `state_mismatch`, `authorization_expired`,
 *   `issuer_missing`, `issuer_unexpected`, `answer_ambiguous`, `authorization_refused`, `code_missing`
 */
export function parseAuthorizationResponse(
  answer: URLSearchParams,
  pending: PendingAuthorization,
  { metadata, now }: { readonly metadata: ServerMetadata; readonly now: Seconds },
): string {
  requireOnce(answer)
  requireState(answer.get('state'), pending.state)
  if (now > pending.began + longestAuthorization) throw new ClientError('authorization_expired')
  requireIssuer(answer.get('iss'), metadata)
  const [code, error] = [answer.get('code'), answer.get('error')]
  if (code !== null && error !== null) throw new ClientError('answer_ambiguous')
  if (error !== null) throw refusal(error, answer.get('error_description'))
  if (!code) throw new ClientError('code_missing')
  return code
}

/** RFC 6749 §3.1. */
function requireOnce(answer: URLSearchParams): void {
  const names = [...answer.keys()]
  const repeated = names.find((name, at) => names.indexOf(name) !== at)
  if (repeated !== undefined) throw new ClientError('parameter_repeated', { detail: shorten(repeated) })
}

function requireState(state: string | null, expected: string): void {
  if (!state) throw new ClientError('state_missing')
  if (!equalInConstantTime(state, expected)) throw new ClientError('state_mismatch')
}

/** Compared as it is, never as a URL. */
function requireIssuer(iss: string | null, metadata: ServerMetadata): void {
  if (iss === null && metadata.authorization_response_iss_parameter_supported) throw new ClientError('issuer_missing')
  if (iss !== null && iss !== metadata.issuer) throw new ClientError('issuer_unexpected', { detail: shorten(iss) })
}

function refusal(error: string, description: string | null): ClientError {
  const said = [shorten(error), shorten(description)].filter((part) => part !== undefined).join(' ')
  const detail = said && `It said: ${said.replace(/\.$/, '')}.`
  return new ClientError('authorization_refused', { error: shorten(error), detail })
}
