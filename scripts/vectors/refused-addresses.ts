import { createVector, type Vector } from './proofs.ts'

/** Proofs for another address. `vectors/target-uris.json` has the whole table. */
export function addressVectors(): readonly Vector[] {
  const wrong: readonly (readonly [id: string, htu: string, title: string])[] = [
    ['path', 'https://as.test/par', 'another path'],
    ['path-case', 'https://as.test/Token', 'the path in another case'],
    ['slash', 'https://as.test/token/', 'a slash at the end'],
    ['two-slashes', 'https://as.test//token', 'two slashes'],
    ['escaped-slash', 'https://as.test/a%2F..%2Ftoken', 'escaped slashes are no separators'],
    ['host', 'https://evil.test/token', 'another host'],
    ['host-suffix', 'https://as.test.evil.test/token', 'a longer host'],
    ['host-dot', 'https://as.test./token', 'a dot after the host'],
    ['http', 'http://as.test/token', 'http'],
    ['port', 'https://as.test:5001/token', 'another port'],
    ['port-zero', 'https://as.test:0443/token', 'the port with a zero before it'],
    ['origin', 'https://as.test', 'the origin alone'],
    ['user', 'https://user@as.test/token', 'with a user'],
    ['user-host', 'https://as.test@evil.test/token', 'the host as the user of another'],
    ['relative', '/token', 'relative'],
    ['no-scheme', 'as.test/token', 'no scheme'],
    ['backslash', 'https:\\\\as.test\\token', 'backslashes'],
    ['space', ' https://as.test/token', 'a space before it'],
    ['line-feed', 'https://as.test/token\n', 'a line feed after it'],
    ['tab', 'https://as.test/tok\ten', 'a tab in it'],
    ['lone-percent', 'https://as.test/token%', 'a lone %'],
    ['empty', '', 'empty'],
    ['cyrillic', 'https://аs.test/token', 'a letter that only looks like it'],
  ]
  return wrong.map(([id, htu, title]) =>
    createVector('dpop_url_differs', `htu-other-${id}`, title, { claims: { htu } }),
  )
}
