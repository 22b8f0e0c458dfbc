/**
 * Writes an address in the one form in which it is compared: scheme, host, port and path, normalised by RFC 3986
 * §6.2.2 and §6.2.3; query and fragment left out. RFC 9449 §4.3.
 *
 * Nothing is repaired on the way: what a URL parser of the web would forgive (`\`, a missing `//`, white space) is no
 * address here, and hosts are names: `127.1` is none of 127.0.0.1.
 *
 * @returns undefined unless it is an absolute http or https address without user
 */
export function normalTargetUri(text: string): string | undefined {
  const [, scheme = '', host = '', port = '', path = ''] = form.exec(text) ?? []
  const name = normalEscapes(host)
  const normalPath = normalEscapes(path)
  if (name === undefined || name === '' || normalPath === undefined) return undefined
  const lower = scheme.toLowerCase()
  const isDefault = port === '' || port === ':' || port === (lower === 'https' ? ':443' : ':80')
  return `${lower}://${name.toLowerCase()}${isDefault ? '' : port}${withoutDotSegments(normalPath)}`
}

/** Scheme, host, port, path; then what is left out. */
const form =
  /^(https?):\/\/((?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\]))(:\d*)?((?:\/[!$-;=@-[\]^_a-z{|}~]*)?)(?:[?#].*)?$/i

/** Unreserved characters stand for themselves, hexadecimal digits are capitals. @returns undefined for a lone `%` */
function normalEscapes(text: string): string | undefined {
  if (!text.includes('%')) return text
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined
  return text.replace(/%[0-9A-Fa-f]{2}/g, (written) => {
    const character = String.fromCharCode(Number.parseInt(written.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : written.toUpperCase()
  })
}

/** RFC 3986 §5.2.4, for a path that is absolute or empty. */
function withoutDotSegments(path: string): string {
  if (!path.includes('/.')) return path === '' ? '/' : path
  const kept: string[] = []
  const segments = path.slice(1).split('/')
  for (const [index, segment] of segments.entries()) {
    const isDot = segment === '.' || segment === '..'
    if (segment === '..') kept.pop()
    if (!isDot) kept.push(segment)
    else if (index === segments.length - 1) kept.push('')
  }
  return `/${kept.join('/')}`
}
