/**
 * Finds what an API has against a request: what its DPoP challenge says of the proof, or what any says of the token.
 * RFC 6750 §3.1, RFC 9449 §7.1.
 */
export function findChallengeError({ status, headers }: Pick<Response, 'status' | 'headers'>): string | undefined {
  if (status !== 401) return undefined
  const errors = parseChallenges(headers.get('www-authenticate') ?? '').map(({ scheme, parameters }) => {
    const error = parameters.get('error')
    return scheme === 'dpop' || error === 'invalid_token' ? error : undefined
  })
  return errors.find((error) => error !== undefined && error !== 'invalid_token') ?? errors.find(Boolean)
}

/** One challenge of a `WWW-Authenticate` header. RFC 9110 §11.6.1. */
interface Challenge {
  /** In small letters. */
  readonly scheme: string
  /** Names in small letters. */
  readonly parameters: ReadonlyMap<string, string>
}

/** A word, and a value where it is a parameter. */
const words = /([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~\w-]+)))?/g

/** Reads challenges, several in one header too. What is none is left out. */
function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  for (const [, word = '', quoted, plain] of header.slice(0, 8192).matchAll(words)) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain
    if (value === undefined) challenges.push({ scheme: word.toLowerCase(), parameters: new Map() })
    else challenges.at(-1)?.parameters.set(word.toLowerCase(), value)
  }
  return challenges
}
