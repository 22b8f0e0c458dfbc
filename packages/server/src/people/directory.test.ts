import { createHook } from 'node:async_hooks'
import { Refused } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it } from 'vitest'
import { chooseSecret } from '../administration/client-secret.ts'
import { createAttempts, passwordLimit } from '../client-authentication/attempts.ts'
import { createTurns } from '../client-authentication/stretched.ts'
import { personSchema } from '../model/person.ts'
import { createDirectory } from './directory.ts'

const { random } = nodePrimitives
const issuer = 'https://localhost:5001'
const here = '192.0.2.1'
const elsewhere = '192.0.2.2'
const { most, window } = passwordLimit

const alice = { username: 'Alice', password: 'correct horse', name: 'Alice Example', email: 'alice@example.com' }

describe('people of the settings', () => {
  it('sign in with their name and password', async () => {
    const { people } = await directoryOf([alice])
    expect(await people.authenticate('alice', 'correct horse', here)).toEqual({
      subject: expect.stringMatching(/^user:[A-Za-z0-9_-]{43}$/),
      username: 'Alice',
      claims: { name: 'Alice Example', email: 'alice@example.com' },
      disabled: false,
    })
  })

  it('sign in with a hash as `holdfast client add` makes them', async () => {
    const password_hash = await chooseSecret('correct horse', random)
    const { people } = await directoryOf([{ username: 'alice', password_hash }])
    expect(await people.authenticate('alice', 'correct horse', here)).toBeDefined()
    expect(await people.authenticate('alice', 'correct hors', here)).toBeUndefined()
  })

  it.each([
    ['a capital letter', 'ALICE'],
    ['spaces around it', '  alice '],
  ])('sign in with %s in the name', async (_, typed) => {
    const { people } = await directoryOf([alice])
    expect(await people.authenticate(typed, 'correct horse', here)).toBeDefined()
  })

  it('sign in whether the keyboard composes letters or not', async () => {
    const { people } = await directoryOf([{ username: 'zo\u00eb', password: 'p\u00e4ss' }])
    expect(await people.authenticate('zoe\u0308', 'pa\u0308ss', here)).toBeDefined()
  })

  it.each([
    ['another password', 'alice', 'correct horsf'],
    ['a password in other letters', 'alice', 'Correct horse'],
    ['no password', 'alice', ''],
    ['a password past its length', 'alice', 'x'.repeat(1025)],
    ['an unknown name', 'mallory', 'correct horse'],
    ['no name', '', 'correct horse'],
    ['a name past its length', `alice${' '.repeat(124)}`, 'correct horse'],
    ['a name with a NUL', 'alice\0', 'correct horse'],
    ['a name with an invisible character', 'al\u200bice', 'correct horse'],
    ['a name in look-alike letters', '\u0430lice', 'correct horse'],
    ['a piece of SQL', "alice' --", 'correct horse'],
    ['a member of every object', '__proto__', 'correct horse'],
  ])('[A32] are not signed in by %s', async (_, username, password) => {
    const { people } = await directoryOf([alice])
    expect(await people.authenticate(username, password, here)).toBeUndefined()
  })

  it('are not signed in when disabled, but found', async () => {
    const { people } = await directoryOf([{ ...alice, disabled: true, subject: 'user:1' }])
    expect(await people.authenticate('alice', 'correct horse', here)).toBeUndefined()
    expect(await people.find('user:1')).toMatchObject({ username: 'Alice', disabled: true })
  })

  it('are found by their subject only', async () => {
    const { people } = await directoryOf([{ ...alice, subject: 'user:1' }])
    expect(await people.find('user:1')).toMatchObject({ username: 'Alice' })
    expect(await people.find('alice')).toBeUndefined()
  })

  it('keep their subject after a restart, and have another at another issuer', async () => {
    const subjectAt = async (at: string, username = 'alice') => {
      const { people } = await directoryOf([{ username, password: 'x' }], at)
      return (await people.authenticate(username, 'x', here))?.subject
    }
    const subject = await subjectAt(issuer)
    expect(await subjectAt(issuer)).toBe(subject)
    expect(await subjectAt(issuer, 'ALICE ')).toBe(subject)
    expect(await subjectAt('https://localhost:5002')).not.toBe(subject)
    expect(await subjectAt(issuer, 'bob')).not.toBe(subject)
  })
})

describe('[A31] wrong passwords', () => {
  it('are answered ten times, then even the right one is not', async () => {
    const { people } = await directoryOf([alice])
    for (let attempt = 0; attempt < most; attempt++)
      expect(await people.authenticate('alice', 'wrong', here)).toBeUndefined()
    expect(await reasonOf(people.authenticate('alice', 'correct horse', here))).toBe('person_attempts_exhausted')
  })

  it('one less than that, and the right one is answered', async () => {
    const { people } = await directoryOf([alice])
    for (let attempt = 1; attempt < most; attempt++) await people.authenticate('alice', 'wrong', here)
    expect(await people.authenticate('alice', 'correct horse', here)).toBeDefined()
  })

  it('lock nobody out elsewhere, nor anybody else here', async () => {
    const { people } = await directoryOf([alice, { username: 'bob', password: 'x' }])
    for (let attempt = 0; attempt < most; attempt++) await people.authenticate('alice', 'wrong', here)
    expect(await people.authenticate('alice', 'correct horse', elsewhere)).toBeDefined()
    expect(await people.authenticate('bob', 'x', here)).toBeDefined()
  })

  it('count for a name in any spelling, known or not', async () => {
    const { people } = await directoryOf([alice])
    for (let attempt = 0; attempt < most; attempt++)
      await people.authenticate(attempt % 2 ? 'mallory' : ' MALLORY', 'wrong', here)
    expect(await reasonOf(people.authenticate('Mallory', 'wrong', here))).toBe('person_attempts_exhausted')
  })

  it.each([
    ['the last second of the window', window - 1, 'person_attempts_exhausted'],
    ['the next second', window, undefined],
  ])('are remembered until %s', async (_, later, reason) => {
    const { people, clock } = await directoryOf([alice])
    for (let attempt = 0; attempt < most; attempt++) await people.authenticate('alice', 'wrong', here)
    clock.now += later
    expect(await reasonOf(people.authenticate('alice', 'correct horse', here))).toBe(reason)
  })

  it('cannot be tried all at once: of 30, as many as the limit are answered, and two more are compared at most', async () => {
    const { people } = await directoryOf([{ username: 'alice', password_hash: cheap('m=8,t=1,p=1') }])
    const { derivations, value } = await counting(() =>
      Promise.allSettled(Array.from({ length: 30 }, () => people.authenticate('alice', 'wrong', here))),
    )
    expect(value.filter(({ status }) => status === 'fulfilled')).toHaveLength(most)
    expect(derivations).toBeLessThanOrEqual(most + 2)
  })
})

describe('[A31] what an answer costs', () => {
  const known = cheap('m=8,t=1,p=1')

  it.each([
    ['a wrong password', 'alice', 'wrong'],
    ['an unknown name', 'mallory', 'wrong'],
    ['a disabled person', 'carol', 'wrong'],
  ])('is one argon2id for %s', async (_, username, password) => {
    const { people } = await directoryOf([
      { username: 'alice', password_hash: known },
      { username: 'carol', password_hash: known, disabled: true },
    ])
    const { derivations } = await counting(() => people.authenticate(username, password, here))
    expect(derivations).toBe(1)
  })

  it('is one argon2id without any people', async () => {
    const { people } = await directoryOf([])
    const { derivations, value } = await counting(() => people.authenticate('alice', 'wrong', here))
    expect({ derivations, value }).toEqual({ derivations: 1, value: undefined })
  })

  it('is nothing for a name that nobody can have', async () => {
    const { people } = await directoryOf([{ username: 'alice', password_hash: known }])
    const { derivations } = await counting(() => people.authenticate('x'.repeat(129), 'wrong', here))
    expect(derivations).toBe(0)
  })

  it("is somebody's for an unknown name: the hash whose password it would be signs nobody in", async () => {
    const { people } = await directoryOf([alice])
    expect(await people.authenticate('mallory', 'correct horse', here)).toBeUndefined()
  })
})

async function directoryOf(written: readonly unknown[], at = issuer) {
  const clock = { now: 1_800_000_000 }
  const attempts = createAttempts(() => clock.now, passwordLimit)
  const entries = written.map((each) => personSchema.parse(each))
  return { clock, people: await createDirectory(entries, { issuer: at, random, attempts, turns: createTurns() }) }
}

/** A hash of no known password that costs next to nothing. */
function cheap(parameters: string): string {
  return `$argon2id$v=19$${parameters}$${'A'.repeat(22)}$${'A'.repeat(43)}`
}

async function counting<T>(work: () => Promise<T>): Promise<{ readonly derivations: number; readonly value: T }> {
  let derivations = 0
  const hook = createHook({ init: (_, type) => void (type === 'ARGON2REQUEST' && derivations++) }).enable()
  try {
    const value = await work()
    return { derivations, value }
  } finally {
    hook.disable()
  }
}

async function reasonOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error) => (error instanceof Refused ? error.reason : Promise.reject(error)),
  )
}
