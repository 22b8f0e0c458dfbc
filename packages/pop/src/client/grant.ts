import type { Session } from './authorization/session.ts'
import { ClientError } from './client-error.ts'
import type { Answer, Endpoints, Form } from './endpoints.ts'

/** What a client asks for tokens with. Takes scope and resource, gives the answer of the token endpoint. */
export type Grant = (wanted: Form) => Promise<Answer>

/** The client's own right. RFC 6749 §4.4. */
export function clientCredentials({ post }: Endpoints): Grant {
  return (wanted) => post('token_endpoint', [['grant_type', 'client_credentials'], ...wanted])
}

/**
 * What somebody allowed. RFC 6749 §6.
 *
 * A refresh token that is bound to a key is sent again when the connection was lost, since it stays the same; any other
 * may have been replaced by the answer that was lost, and showing it twice would end the session.
 *
 * @throws {@link ClientError} `sign_in_required` when the server does not take it any more
 */
export function refreshing(session: Session, { post }: Endpoints, isBound: boolean): Grant {
  return (wanted) =>
    session.lend(async (refresh_token) => {
      const form: Form = [['grant_type', 'refresh_token'], ['refresh_token', refresh_token], ...wanted]
      const answer = await post('token_endpoint', form, isBound ? 'when-lost' : 'never').catch((cause: unknown) => {
        throw isOver(cause) ? new ClientError('sign_in_required', { cause, error: 'invalid_grant' }) : cause
      })
      return { answer, next: findRefreshToken(answer) }
    })
}

/** The refresh token of an answer. */
export function findRefreshToken({ json }: Answer): string | undefined {
  const token = json?.refresh_token
  return typeof token === 'string' && /^[\x21-\x7e]{1,4096}$/.test(token) ? token : undefined
}

function isOver(cause: unknown): boolean {
  return cause instanceof ClientError && cause.error === 'invalid_grant'
}
