import type { Seconds } from '../foundation/clock.ts'
import type { Awaitable } from '../foundation/primitives.ts'
import { type AccessToken, type Binding, parseAccessToken } from './access-token.ts'
import type { ClientContext } from './context.ts'
import type { Answer, Form } from './endpoints.ts'
import { createFlights } from './flights.ts'
import type { Grant } from './grant.ts'

/** What a token is asked for. RFC 6749 §4.4.2 and §6, RFC 8707 §2. */
export interface TokenScope {
  readonly scope?: string | undefined
  readonly resource?: string | readonly string[] | undefined
}

/** The tokens of one grant, one for each scope and resource. */
export interface Tokens {
  /** Gives a token that is good for now: the kept one, or a new one. */
  readonly obtain: (wanted: TokenScope) => Promise<AccessToken>
  /** Asks for a new token, whatever is kept. */
  readonly renew: (wanted: TokenScope) => Promise<AccessToken>
  /** Keeps a token that came another way. @throws {@link ClientError} those of {@link parseAccessToken} */
  readonly take: (wanted: TokenScope, answer: Answer) => Promise<AccessToken>
  /** Forgets a token, so that the next call asks for another. */
  readonly forget: (access_token: string) => void
}

interface Kept {
  readonly token: AccessToken
  /** From here on it is renewed when it is asked for. */
  readonly renewFrom: Seconds
  readonly until: Seconds
}

/** How long a token is kept whose lifetime the server does not tell. */
const unknownLifetime: Seconds = 300

/** How long a token that could not be renewed and is still good is used before the next try. */
const pause: Seconds = 5

/** How many tokens of one grant are kept. */
const capacity = 256

/**
 * Creates the tokens of a grant.
 *
 * However many ask at once, one request is made. A token is renewed when a call needs it in the last quarter of its
 * life, earlier or later by chance so that many clients do not come together; while the server is out of reach, the
 * old one is used to its end.
 */
export function createTokens(binding: () => Awaitable<Binding>, grant: Grant, context: ClientContext): Tokens {
  const kept = new Map<string, Kept>()
  const flights = createFlights<AccessToken>()

  const take = async (key: string, answer: Answer, asked: Seconds): Promise<AccessToken> => {
    const token = parseAccessToken(answer, await binding(), asked)
    kept.delete(key)
    kept.set(key, keep(token, asked, context))
    for (const oldest of kept.keys()) if (kept.size > capacity) kept.delete(oldest)
    return token
  }

  const request = (form: Form): Promise<AccessToken> => {
    const key = JSON.stringify(form)
    return flights(key, async () => {
      const asked = context.now()
      return await take(key, await grant(form), asked)
    })
  }

  return {
    obtain: async (wanted) => {
      const form = formOf(wanted)
      const key = JSON.stringify(form)
      const found = kept.get(key)
      const now = context.now()
      if (found && now < found.renewFrom) return found.token
      try {
        return await request(form)
      } catch (error) {
        if (!found || kept.get(key) !== found || context.now() >= found.until) throw error
        kept.set(key, { ...found, renewFrom: Math.min(now + pause, found.until) })
        return found.token
      }
    },
    renew: (wanted) => request(formOf(wanted)),
    take: (wanted, answer) => take(JSON.stringify(formOf(wanted)), answer, context.now()),
    forget: (access_token) => {
      for (const [key, { token }] of kept) if (token.access_token === access_token) kept.delete(key)
    },
  }
}

function formOf({ scope, resource = [] }: TokenScope): Form {
  const resources = typeof resource === 'string' ? [resource] : resource
  const form: [string, string][] = []
  if (scope) form.push(['scope', scope])
  for (const uri of resources) form.push(['resource', uri])
  return form
}

function keep(token: AccessToken, asked: Seconds, { random }: Pick<ClientContext, 'random'>): Kept {
  const until = token.expires ?? asked + unknownLifetime
  const chance = (random(1)[0] ?? 0) / 255
  return { token, until, renewFrom: asked + (until - asked) * (0.75 + 0.1 * chance) }
}
