import type { Awaitable } from '../../foundation/primitives.ts'
import { ClientError } from '../client-error.ts'
import type { IdTokenClaims } from './id-token.ts'

/** What somebody allowed a client, for as long as it lasts: what tokens are asked for with. */
export interface Session {
  /** Who signed in, where `openid` was asked for. */
  readonly claims: IdTokenClaims | undefined
  /** As it came: for `id_token_hint`. Not enumerable. */
  readonly id_token: string | undefined
  /** The one that is good at present. Undefined when there never was one, or it has ended. Not enumerable. */
  readonly refresh_token: string | undefined
  /**
   * Lends the refresh token to one borrower at a time, since a server may take each one once only, and keeps the one
   * that comes back in its place.
   * @throws {@link ClientError} `sign_in_required` when there is none
   */
  readonly lend: <T>(redeem: (refresh_token: string) => Promise<Redeemed<T>>) => Promise<T>
  /** Forgets the refresh token. */
  readonly end: () => void
}

/** What came of a refresh token. */
export interface Redeemed<T> {
  readonly answer: T
  /** The refresh token to use from now on, when it is another one. */
  readonly next: string | undefined
}

/** A refresh token that several tabs or processes use. */
export interface SharedRefreshToken {
  /** Lets one at a time do something with it, wherever they run. */
  readonly exclusive: <T>(turn: () => Promise<T>) => Promise<T>
  /** The one that is good at present. @returns undefined when somebody ended the session */
  readonly latest: () => Awaitable<string | undefined>
}

/** What a session begins with. */
export interface SessionOptions {
  readonly refresh_token?: string | undefined
  readonly id_token?: string | undefined
  readonly claims?: IdTokenClaims | undefined
  /** Told of each refresh token that takes the place of another, before the tokens that came with it are given out. */
  readonly keep?: ((refresh_token: string) => Awaitable<void>) | undefined
  /** Where others use it too: they are asked before each use. */
  readonly shared?: SharedRefreshToken | undefined
}

/** Creates a session, of a sign-in that was just done or of a refresh token that was kept. */
export function createSession({ refresh_token, id_token, claims, keep, shared }: SessionOptions): Session {
  let current = refresh_token
  let last: Promise<unknown> = Promise.resolve()
  const session = {
    claims,
    lend: <T>(redeem: (refresh_token: string) => Promise<Redeemed<T>>): Promise<T> => {
      const use = async (): Promise<T> => {
        if (shared) current = await shared.latest()
        if (current === undefined) throw new ClientError('sign_in_required')
        const { answer, next } = await redeem(current)
        if (next !== undefined && next !== current) {
          current = next
          await keep?.(next)
        }
        return answer
      }
      const turn = last.then(() => (shared ? shared.exclusive(use) : use()))
      last = turn.catch(() => undefined)
      return turn
    },
    end: () => {
      current = undefined
    },
  }
  return Object.defineProperties(session, {
    id_token: { value: id_token },
    refresh_token: { get: () => current },
  }) as typeof session & Pick<Session, 'id_token' | 'refresh_token'>
}
