/** Renders one challenge of a `WWW-Authenticate` header: parameters quoted, undefined ones left out. RFC 9110 §11.6.1. */
export function renderChallenge(scheme: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const rendered = Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}="${quotable(value ?? '')}"`)
  return rendered.length > 0 ? `${scheme} ${rendered.join(', ')}` : scheme
}

/** Keeps what may stand in a quoted string without an escape. */
function quotable(text: string): string {
  return text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
}
