import type { Kysely } from 'kysely'
import type { Store } from '../ports/store.ts'
import type { Schema } from './schema.ts'
import { count } from './verbs/attempt.ts'
import { audited, listAudit, listAuditHeads, recordAudit } from './verbs/audit.ts'
import { findAuthorization, revokeAuthorization } from './verbs/authorization.ts'
import { deleteClient, findClient, insertClient, listClients, listWebOrigins, replaceClient } from './verbs/client.ts'
import { findCode } from './verbs/code.ts'
import { findConsent, rememberConsent } from './verbs/consent.ts'
import {
  decideDevice,
  findDeviceAuthorization,
  insertDeviceAuthorization,
  pollDevice,
} from './verbs/device-authorization.ts'
import { findFlow, insertFlow } from './verbs/flow.ts'
import { issue } from './verbs/issue.ts'
import { isJwtRevoked, revokeJwt } from './verbs/jwt-revocation.ts'
import { purge } from './verbs/purge.ts'
import { findPushedRequest, insertPushedRequest } from './verbs/pushed-request.ts'
import { findReferenceToken, revokeReferenceToken } from './verbs/reference-token.ts'
import { findRefreshToken } from './verbs/refresh-token.ts'
import { ensureSecret, reseal } from './verbs/secret.ts'
import { deleteSession, findSession, insertSession, replaceSession } from './verbs/session.ts'
import { ensureSigningKeys, listSigningKeys, revokeSigningKey, rotateSigningKey } from './verbs/signing-key.ts'
import { endAll } from './verbs/state.ts'

/** The methods of the store that are verbs. */
type Verbs = Omit<Store, 'watch' | 'close'>

/** A method of the store as a function over a database. It awaits nothing but the database, and opens no transaction. */
export type Verb<Name extends keyof Verbs> = (
  db: Kysely<Schema>,
  ...data: Parameters<Store[Name]>
) => ReturnType<Store[Name]>

/** The verbs that change something. Each runs in a transaction or savepoint of its own, which its adapter opens. */
export const changes = {
  issue,
  revokeReferenceToken,
  revokeJwt,
  insertPushedRequest,
  insertFlow,
  insertSession,
  replaceSession,
  deleteSession,
  revokeAuthorization,
  insertDeviceAuthorization,
  decideDevice,
  pollDevice,
  rememberConsent,
  insertClient,
  replaceClient,
  deleteClient,
  ensureSigningKeys,
  rotateSigningKey,
  revokeSigningKey,
  endAll,
  audited,
  recordAudit,
  ensureSecret,
  reseal,
  count,
  purge,
} satisfies { readonly [Name in keyof Verbs]?: Verb<Name> }

/** The verbs that only read, each one statement. */
export const reads = {
  findReferenceToken,
  isJwtRevoked,
  findPushedRequest,
  findFlow,
  findSession,
  findCode,
  findRefreshToken,
  findAuthorization,
  findDeviceAuthorization,
  findConsent,
  findClient,
  listClients,
  listWebOrigins,
  listSigningKeys,
  listAudit,
  listAuditHeads,
} satisfies { readonly [Name in keyof Verbs]?: Verb<Name> }

/** The name of a verb that changes something. */
export type ChangeName = keyof typeof changes

/** The name of a verb that only reads. */
export type ReadName = keyof typeof reads

/** What a change is told. */
export type ChangeData<Name extends ChangeName> = Parameters<Store[Name]>[0]
