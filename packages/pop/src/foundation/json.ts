/** An object as JSON gives it: members unknown until they are looked at. */
export type JsonObject = { readonly [member: string]: unknown }

/** Says whether a value is a JSON object: not null, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The same object without a prototype: what somebody has put into `Object.prototype` is no member of it. */
export function ownMembers(value: JsonObject): JsonObject {
  return { ...value, __proto__: null }
}

/** Says whether a value is an array of strings. */
export function isStringArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/**
 * Parses a JSON object from text that somebody else wrote.
 * @returns undefined when it is not JSON, not an object, or nested deeper than 16 levels
 */
export function parseJsonObject(text: string): JsonObject | undefined {
  const value = parseJsonValue(text)
  return isJsonObject(value) ? value : undefined
}

/**
 * Parses JSON that somebody else wrote.
 * @returns undefined when it is none, or nested deeper than 16 levels
 */
export function parseJsonValue(text: string): unknown {
  if (isDeeperThan(text, 16)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Counts the brackets outside of strings. Exact for whatever is JSON; the rest is refused by the parser. */
function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) quoted = !quoted
    else if (quoted) i += code === 0x5c ? 1 : 0
    else if (code === 0x7b || code === 0x5b) {
      if (++depth > limit) return true
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  return false
}
