import { createHmac, hash } from 'node:crypto'
import { chooseSecret } from '../administration/client-secret.ts'
import { networkOf } from '../client-authentication/attempts.ts'
import { matchesStretched } from '../client-authentication/stretched.ts'
import type { Attempts } from '../context.ts'
import { type DirectoryEntry, mostPasswordCharacters, normalUsername } from '../model/person.ts'
import type { Turns } from '../model/turns.ts'
import type { People, Person } from '../ports/people.ts'

/** What the directory needs of its surroundings. */
export interface DirectoryContext {
  readonly issuer: string
  readonly random: (length: number) => Uint8Array
  /** Wrong passwords. */
  readonly attempts: Attempts
  readonly turns: Turns
}

interface Entry {
  readonly person: Person
  /** Absent where the person signs in at another provider only. */
  readonly passwordHash: string | undefined
  readonly upstream: DirectoryEntry['upstream']
}

/**
 * People of the settings, who cannot be changed at run time. Passwords in clear are hashed here, once.
 *
 * A wrong password counts for its user name at its address only, whether there is such a person or not: nobody can be
 * locked out from elsewhere. An unknown name costs what a known one costs.
 */
export async function createDirectory(
  people: readonly DirectoryEntry[],
  { issuer, random, attempts, turns }: DirectoryContext,
): Promise<People> {
  const entries = await Promise.all(people.map((each) => entryOf(each, issuer, random)))
  const byUsername = new Map(entries.map((entry) => [normalUsername(entry.person.username), entry]))
  const bySubject = new Map(entries.map(({ person }) => [person.subject, person]))
  const byUpstream = new Map(
    entries.flatMap(({ person, upstream }) => upstream.map((each) => [linkOf(each), person] as const)),
  )
  const hashes = entries.flatMap((entry) => entry.passwordHash ?? [])
  const standIn = createStandIn(hashes.length > 0 ? hashes : [await chooseSecret('', random)], random(32))

  return {
    async authenticate(typed, password, address) {
      const username = normalUsername(typed)
      if (username === undefined || password.length > mostPasswordCharacters) return undefined
      attempts.requireLeft(username, address)
      const entry = byUsername.get(username)
      const matches = await turns(
        () => {
          attempts.requireLeft(username, address)
          return matchesStretched(entry?.passwordHash ?? standIn(username), password.normalize('NFC'))
        },
        networkOf(address ?? ''),
      )
      const isRight = matches && entry?.passwordHash !== undefined && !entry.person.disabled
      await attempts.settle(username, address, isRight ? 'right' : 'wrong')
      return isRight ? entry.person : undefined
    },
    async find(subject) {
      return bySubject.get(subject)
    },
    async findUpstream(identity) {
      return byUpstream.get(linkOf(identity))
    },
  }
}

async function entryOf(
  { username, password, password_hash, subject, upstream, disabled, ...claims }: DirectoryEntry,
  issuer: string,
  random: (length: number) => Uint8Array,
): Promise<Entry> {
  return {
    person: { subject: subject ?? subjectOf(issuer, username), username, claims, disabled },
    passwordHash:
      password_hash ?? (password === undefined ? undefined : await chooseSecret(password.normalize('NFC'), random)),
    upstream,
  }
}

function linkOf({ issuer, sub }: DirectoryEntry['upstream'][number]): string {
  return JSON.stringify([issuer, sub])
}

/** The same after every start, and not the same at another issuer. */
function subjectOf(issuer: string, username: string): string {
  return `user:${hash('sha256', JSON.stringify([issuer, normalUsername(username)]), 'base64url')}`
}

/** For a name that nobody has, somebody's hash, always the same: hashes may differ in cost, and names must not show it. */
function createStandIn(hashes: readonly string[], key: Uint8Array): (username: string) => string {
  return (username) => {
    const index = createHmac('sha256', key).update(username).digest().readUInt32BE() % hashes.length
    return hashes[index] ?? ''
  }
}
