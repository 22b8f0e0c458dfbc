import { describe, expect, it } from 'vitest'
import { parseSettings, SettingsError, type SettingsInput } from './settings.ts'

const argon2id = `$argon2id$v=19$m=19456,t=2,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`

describe('people in the settings', () => {
  it('have a name, a password hash and claims', () => {
    const person = {
      username: 'alice',
      password_hash: argon2id,
      name: 'Alice Example',
      email: 'alice@example.com',
      email_verified: true,
      address: { locality: 'Bonn', country: 'DE' },
    }
    expect(parseSettings(withPeople(person)).people.directory).toEqual([{ ...person, upstream: [], disabled: false }])
  })

  it('need no password where they sign in at another provider', () => {
    const upstream = [{ issuer: 'https://there.test', sub: '1' }]
    expect(parseSettings(withPeople({ username: 'alice', upstream })).people.directory).toHaveLength(1)
  })

  it('may not share somebody at another provider', () => {
    const upstream = [{ issuer: 'https://there.test', sub: '1' }]
    expect(() => parseSettings(withPeople({ username: 'alice', upstream }, { username: 'bob', upstream }))).toThrow(
      SettingsError,
    )
  })

  it.each([
    ['with a subject that has no colon', { subject: '4711' }],
    ['with a subject as pairwise ones are', { subject: 'pair:4711' }],
    ['with a subject past its length', { subject: `user:${'x'.repeat(251)}` }],
    ['with a claim that nobody knows', { nickame: 'Al' }],
    ['with an e-mail address that is none', { email: 'alice' }],
    ['with a picture that is script', { picture: 'javascript:alert(1)' }],
    ['with a name past its length', { username: 'x'.repeat(129) }],
    ['with a name of spaces', { username: '  ' }],
    ['with a control character in the name', { username: 'a\u0007' }],
    ['with both password and hash', { password: 'x' }],
    ['without either', { password_hash: undefined }],
    ['with another kind of hash', { password_hash: '$2b$12$abc' }],
    ['with argon2i', { password_hash: argon2id.replace('argon2id', 'argon2i') }],
    ['with more memory than a sign-in may cost', { password_hash: argon2id.replace('19456', '262145') }],
    ['with more passes than a sign-in may cost', { password_hash: argon2id.replace('t=2', 't=17') }],
    ['with more lanes than a sign-in may cost', { password_hash: argon2id.replace('p=1', 'p=5') }],
    ['with less memory than argon2id takes', { password_hash: argon2id.replace('19456', '7') }],
    ['with a short tag', { password_hash: argon2id.slice(0, -1) }],
  ])('are refused %s', (_, wrong) => {
    expect(() => parseSettings(withPeople({ username: 'alice', password_hash: argon2id, ...wrong }))).toThrow(
      SettingsError,
    )
  })

  it.each([
    ['subject', { subject: `user:${'x'.repeat(250)}` }],
    ['username', { username: 'x'.repeat(128) }],
    ['password_hash', { password_hash: argon2id.replace('m=19456,t=2,p=1', 'm=262144,t=16,p=4') }],
  ])('may have the longest or dearest %s', (_, right) => {
    expect(() => parseSettings(withPeople({ username: 'alice', password_hash: argon2id, ...right }))).not.toThrow()
  })

  it.each([
    ['one name in two spellings', { username: 'alice' }, { username: ' ALICE' }],
    ['one subject', { username: 'alice', subject: 'user:1' }, { username: 'bob', subject: 'user:1' }],
  ])('are refused when two have %s', (_, one, other) => {
    const [first, second] = [one, other].map((each) => ({ password_hash: argon2id, ...each }))
    expect(() => parseSettings(withPeople(first, second))).toThrow(/^people\.directory\[1\]/)
  })

  it('have passwords in clear on localhost only', () => {
    const clear = { username: 'alice', password: 'alice' }
    expect(() => parseSettings(withPeople(clear))).not.toThrow()
    expect(() => parseSettings({ ...withPeople(clear), issuer: 'https://as.example.com' })).toThrow(
      /^people\.directory\[0\]\.password/,
    )
  })
})

describe('pages in the settings', () => {
  it('have a name', () => {
    expect(parseSettings(minimal).pages).toEqual({ name: 'Holdfast' })
  })

  it.each(['teal', '#12345', '#1234567', '#12345g', 'red;}body{display:none', '#123456;'])(
    'are refused with the colour %j',
    (accent) => {
      expect(() => parseSettings({ ...minimal, pages: { accent } })).toThrow(/^pages\.accent/)
    },
  )

  it('describe scopes of the API only', () => {
    const describing = (scope: string) => ({
      ...minimal,
      apis: [
        { identifier: 'https://api.example.com', scopes: ['orders'], scopeDescriptions: { [scope]: 'See orders' } },
      ],
    })
    expect(() => parseSettings(describing('orders'))).not.toThrow()
    expect(() => parseSettings(describing('order'))).toThrow(/^apis\[0\]\.scopeDescriptions/)
  })
})

const minimal: SettingsInput = {
  issuer: 'https://localhost:5001',
  listen: { public: { port: 5001, certificate: 'server.pem', key: 'server.key' }, mutualTls: { port: 5002 } },
  apis: [{ identifier: 'https://api.example.com', scopes: ['orders'] }],
}

function withPeople(...directory: readonly unknown[]): SettingsInput {
  return { ...minimal, people: { directory: directory as NonNullable<SettingsInput['people']>['directory'] } }
}
