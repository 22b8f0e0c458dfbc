import {
  algorithmOf,
  type Confirmation,
  isKeyFor,
  isSignedBy,
  parseConfirmation,
  parseJwt,
  type Seconds,
} from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AccessGrant } from '../model/reference-token.ts'
import { handleHash } from '../tokens/handle.ts'

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
 * @returns undefined for everything else, expired ones too
 */
export async function findPresentedToken(text: string, context: Context): Promise<PresentedToken | undefined> {
  const found = text.includes('.') ? await findJwt(text, context) : await findReference(text, context)
  return found && found.expires > context.now() ? found : undefined
}

async function findReference(text: string, { store }: Context): Promise<PresentedToken | undefined> {
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) return undefined
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
  const { iss, aud, sub, client_id, scope, jti, iat, exp, cnf } = jwt.claims
  if (iss !== settings.issuer) return undefined
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
    ...confirmation(cnf),
  }
}

function confirmation(cnf: unknown): { readonly confirmation?: Confirmation } {
  return cnf === undefined ? {} : { confirmation: parseConfirmation(cnf) }
}
