import {
  algorithmOf,
  isJsonObject,
  isKeyFor,
  isSignedBy,
  parseConfirmation,
  parseJwt,
  type Seconds,
} from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { Authorization } from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import type { AccessGrant } from '../model/reference-token.ts'
import { handleHash, isHandle } from './handle.ts'
import { authorizationIdOf } from './jwt-access-token.ts'

/** An access token of ours that somebody asks about: not expired, and not looked at whether it is revoked when a JWT. */
export interface PresentedToken extends AccessGrant {
  readonly form: 'jwt' | 'reference'
  /** Of a reference token: under which it is stored. */
  readonly hash: string
  readonly jti: string
  readonly issued: Seconds
  readonly expires: Seconds
}

/**
 * Finds the access token that a text is: a handle of ours, or a JWT that one of our keys signed.
 * @returns undefined for everything else, tokens that are expired or too long to be ours too
 */
export async function findPresentedToken(text: string, context: Context): Promise<PresentedToken | undefined> {
  const found = text.includes('.') ? await findJwt(text, context) : await findReference(text, context)
  return found && found.expires > context.now() ? found : undefined
}

/** That a token still counts: whose it is, and what it follows from when it is a person's. */
export interface Standing {
  readonly client: Client
  readonly authorization?: Authorization
}

/**
 * Says whether a token still counts: its client is there and enabled, it is not revoked, and what it follows from
 * stands, with its person.
 * @returns undefined when it does not
 */
export async function findStanding(token: PresentedToken, context: Context): Promise<Standing | undefined> {
  const { store, clients } = context
  const client = await clients.find(token.clientId)
  if (!client || client.disabled) return undefined
  if (token.form === 'jwt' && (await store.isJwtRevoked(token))) return undefined
  if (token.authorizationId === undefined) return { client }
  const authorization = await findAuthorization(token.authorizationId, context)
  return authorization && { client, authorization }
}

/**
 * Finds an authorization that stands, whose person is there and enabled, and so is the client that it was given to: what
 * others got in exchange ends with it.
 */
export async function findAuthorization(
  id: string,
  { store, people, clients }: Pick<Context, 'store' | 'people' | 'clients'>,
): Promise<Authorization | undefined> {
  const authorization = await store.findAuthorization(id)
  const client = authorization && (await clients.find(authorization.clientId))
  const person = client && !client.disabled ? await people.find(authorization.subject) : undefined
  return person && !person.disabled ? authorization : undefined
}

async function findReference(text: string, { store }: Context): Promise<PresentedToken | undefined> {
  if (!isHandle(text)) return undefined
  const found = await store.findReferenceToken(handleHash(text))
  return found && { ...found, form: 'reference' }
}

async function findJwt(
  text: string,
  { signer, settings, primitives, now }: Context,
): Promise<PresentedToken | undefined> {
  const jwt = parseJwt(text)
  if (jwt?.header.typ !== 'at+jwt') return undefined
  const { kid } = jwt.header
  const algorithm = algorithmOf(jwt)
  const published = signer.published(now()).find((each) => each.kid === kid && each.algorithm === algorithm)
  if (
    !published ||
    !algorithm ||
    !isKeyFor(algorithm, published.key) ||
    !(await isSignedBy(jwt, published.key, primitives))
  )
    return undefined
  const { iss, aud, sub, client_id, scope, jti, iat, exp, cnf, act } = jwt.claims
  if (iss !== settings.issuer) return undefined
  const authorizationId = authorizationIdOf(String(jti))
  return {
    form: 'jwt',
    hash: '',
    subject: String(sub),
    clientId: String(client_id),
    scope: String(scope),
    audience: Array.isArray(aud) ? aud.map(String) : [String(aud)],
    jti: String(jti),
    issued: Number(iat),
    expires: Number(exp),
    ...(cnf !== undefined && { confirmation: parseConfirmation(cnf) }),
    ...(authorizationId !== undefined && { authorizationId }),
    ...(isJsonObject(act) && { actor: act }),
  }
}
