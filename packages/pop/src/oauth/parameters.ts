import { Refused } from './refusal.ts'

/** The parameters of a request: each at most once, but for those that may be repeated. RFC 6749 §3.2. */
export interface Parameters {
  /** @returns undefined when absent or empty */
  one(name: string): string | undefined
  /** Every value of a repeatable parameter. */
  many(name: 'resource' | 'audience'): readonly string[]
}

const mostParameters = 100

/** Repeated ones too: more are not even taken apart, which would cost more than a token does. */
const mostPairs = 1000

/**
 * Parses the form of a request. An empty parameter is absent, a repeated one refuses. RFC 6749 §3.2, RFC 8707 §2.
 * @param repeatable names that may stand more than once
 * @throws {@link Refused} `parameters_too_many`, `parameter_repeated`
 */
export function parseParameters(
  form: readonly (readonly [name: string, value: string])[],
  repeatable: readonly string[] = ['resource'],
): Parameters {
  const found = new Map<string, string[]>()
  for (const [name, value] of form) {
    const values = found.get(name)
    if (!values) found.set(name, [value])
    else if (repeatable.includes(name)) values.push(value)
    else throw new Refused('parameter_repeated')
    if (found.size > mostParameters) throw new Refused('parameters_too_many')
  }
  const many = (name: string) => (found.get(name) ?? []).filter((value) => value !== '')
  return { one: (name) => found.get(name)?.[0] || undefined, many }
}

/**
 * Decodes form-encoded text strictly: ASCII or whole percent sequences of UTF-8, no NUL. RFC 6749 appendix B.
 * @throws {@link Refused} `form_malformed`, `parameters_too_many`
 */
export function decodeForm(text: string): readonly (readonly [name: string, value: string])[] {
  if (text.includes('\0') || text.includes('%00')) throw new Refused('form_malformed')
  try {
    if (text.includes('%')) decodeURIComponent(text)
  } catch (cause) {
    throw new Refused('form_malformed', { cause })
  }
  if (isLongerThan(mostPairs, text)) throw new Refused('parameters_too_many')
  return [...new URLSearchParams(text)]
}

function isLongerThan(pairs: number, text: string): boolean {
  let at = -1
  for (let count = 0; count < pairs; count++) {
    at = text.indexOf('&', at + 1)
    if (at < 0) return false
  }
  return true
}
