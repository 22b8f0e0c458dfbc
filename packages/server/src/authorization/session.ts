import type { Inbound, Seconds } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Session } from '../model/authorization.ts'
import type { Person } from '../ports/people.ts'
import { createHandle, handleHash } from '../tokens/handle.ts'
import { readCookie, renderCookie } from './cookies.ts'

/** From sign-in until a browser has to sign in again. */
const sessionLifetime: Seconds = 43_200

/** Somebody who is signed in at a browser, and still known. */
export interface SignedIn {
  readonly session: Session
  readonly person: Person
}

/** Finds who is signed in at the browser of a request: nobody whose session has ended or who is disabled. */
export async function findSignedIn(
  inbound: Pick<Inbound, 'headers'>,
  { store, people, now }: Context,
): Promise<SignedIn | undefined> {
  const id = readCookie(inbound, 'session')
  const session = id === undefined ? undefined : await store.findSession(handleHash(id))
  if (!session || session.expires <= now()) return undefined
  const person = await people.find(session.subject)
  return person && !person.disabled ? { session, person } : undefined
}

/** Somebody who has just shown who they are. */
export interface Arrived {
  readonly person: Person
  /** How, RFC 8176. */
  readonly methods: readonly string[]
  /** Who sent them. */
  readonly clientId: string
}

/** Signs somebody in at the browser of a request: always under a new id, and the one before is dead. OWASP ASVS 7.2.4. */
export async function beginSession(
  inbound: Pick<Inbound, 'headers' | 'address'>,
  { person, methods, clientId }: Arrived,
  { store, now, primitives, audit }: Context,
): Promise<{ readonly signedIn: SignedIn; readonly cookie: string }> {
  const id = createHandle(primitives.random)
  const authenticated = now()
  const session: Session = {
    hash: handleHash(id),
    sid: Buffer.from(primitives.random(16)).toString('base64url'),
    subject: person.subject,
    authenticated,
    methods,
    expires: authenticated + sessionLifetime,
  }
  const before = readCookie(inbound, 'session')
  const entry = audit({
    event: 'signed_in',
    actor: `person:${person.subject}`,
    subject: person.subject,
    client: clientId,
    ...(inbound.address !== undefined && { address: inbound.address }),
    details: { methods: methods.join(' ') },
  })
  if (before === undefined) await store.audited({ verb: 'insertSession', data: session, audit: entry })
  else await store.audited({ verb: 'replaceSession', data: { old: handleHash(before), session }, audit: entry })
  return { signedIn: { session, person }, cookie: renderCookie('session', id) }
}
