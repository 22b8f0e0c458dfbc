import { algorithmOf, isSignedBy, parseJwt, Refused } from '@holdfast/pop'
import type { Context } from '../context.ts'

/** What an ID token of ours says of whom it was issued for and to. */
export interface IdTokenHint {
  readonly subject: string
  readonly clientId: string
  readonly sid?: string
}

/**
 * Reads an `id_token_hint`: signed by a key of ours; an expired one is as good as any. OpenID Connect Core §3.1.2.1.
 *
 * Does not look at which client sends it.
 *
 * @throws {@link Refused} `id_token_hint_unknown`
 */
export async function verifyIdTokenHint(
  text: string,
  { signer, settings, primitives, now }: Context,
): Promise<IdTokenHint> {
  const jwt = parseJwt(text)
  const algorithm = jwt && algorithmOf(jwt)
  const typ = jwt?.header.typ
  if (!jwt || (typ !== undefined && typ !== 'JWT')) throw new Refused('id_token_hint_unknown')
  const key = signer.published(now()).find((each) => each.kid === jwt.header.kid && each.algorithm === algorithm)
  if (!key || !(await isSignedBy(jwt, key.key, primitives))) throw new Refused('id_token_hint_unknown')
  const { iss, sub, aud, sid } = jwt.claims
  if (iss !== settings.issuer || typeof sub !== 'string' || typeof aud !== 'string')
    throw new Refused('id_token_hint_unknown')
  return { subject: sub, clientId: aud, ...(typeof sid === 'string' && { sid }) }
}
