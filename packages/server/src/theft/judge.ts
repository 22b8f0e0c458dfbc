import { type Connection, fetchOnce, HandshakeRefused, type Reply, type RequestHeaders } from './request.ts'
import type { Attempt, Loot } from './theft.ts'

/** Presents the stolen token once, as Bearer unless the headers say otherwise, and says what came of it. */
export async function present(
  { token, url, ca }: Loot,
  connection: Omit<Connection, 'ca'>,
  headers: RequestHeaders = {},
): Promise<Attempt> {
  try {
    return judge(await fetchOnce(url, { authorization: `Bearer ${token}`, ...headers }, { ...connection, ca }))
  } catch (error) {
    if (error instanceof HandshakeRefused) return { outcome: 'refused', answer: 'TLS handshake refused' }
    throw error
  }
}

/** What an answer shows: only a challenge, or a 403 that is not about scope, is a refusal of the token. */
export function judge({ status, challenge, nonce }: Pick<Reply, 'status' | 'challenge' | 'nonce'>): Attempt {
  const error = parameter(challenge, 'error')
  const answer = parameter(challenge, 'error_description') ?? error ?? phrase(status)
  const outcome = outcomeOf(status, challenge, error)
  return { outcome, status, ...(error !== undefined && { error }), ...(nonce !== undefined && { nonce }), answer }
}

function outcomeOf(status: number, challenge: string, error: string | undefined): Attempt['outcome'] {
  if (status >= 200 && status < 300) return 'admitted'
  const refused =
    status === 401 || (status === 400 && challenge !== '') || (status === 403 && error !== 'insufficient_scope')
  return refused ? 'refused' : 'unclear'
}

function parameter(challenge: string, name: string): string | undefined {
  return new RegExp(`[ ,]${name}="([^"]*)"`).exec(challenge)?.[1]
}

function phrase(status: number): string {
  if (status >= 200 && status < 300) return 'the API answered'
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  return 'the API did not say yes or no to the token'
}
