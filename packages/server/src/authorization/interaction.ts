import { type Inbound, Refused } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AuthorizationRequest } from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import { isClaimable } from '../model/redirect-uri.ts'
import { subjectFor } from '../tokens/subject.ts'
import type { SignedIn } from './session.ts'

/** A step for which somebody sees a page. */
export type PageStep =
  | { readonly step: 'sign-in' }
  | { readonly step: 'choose'; readonly signedIn: SignedIn }
  | { readonly step: 'consent'; readonly signedIn: SignedIn }

/** What a request still needs of the person. */
export type Step = PageStep | { readonly step: 'done'; readonly signedIn: SignedIn }

/** What the person has done since the request came. */
export type Done = 'nothing' | 'chosen' | 'signed-in'

/**
 * Finds what a request needs next. OpenID Connect Core §3.1.2.3, §3.1.2.6.
 * @throws {@link Refused} `login_required`, `consent_required` where no page may be shown, `login_required` also when somebody else signed in than the client asked for
 */
export async function findStep(
  request: AuthorizationRequest,
  client: Client,
  { signedIn, done }: { readonly signedIn: SignedIn | undefined; readonly done: Done },
  context: Context,
): Promise<Step> {
  const silent = request.prompt.includes('none')
  if (!signedIn || mustSignIn(request, client, { signedIn, done }, context)) {
    if (silent || done === 'signed-in') throw new Refused('login_required')
    return { step: 'sign-in' }
  }
  if (done === 'nothing' && request.prompt.includes('select_account')) return { step: 'choose', signedIn }
  if (await mustConsent(request, client, signedIn, context)) {
    if (silent) throw new Refused('consent_required')
    return { step: 'consent', signedIn }
  }
  return { step: 'done', signedIn }
}

/**
 * Says whether who is signed in will not do: not fresh enough, or not the one that was asked for. Who has signed in for
 * this request is fresh enough.
 */
export function mustSignIn(
  { prompt, maxAge, subjectHint }: AuthorizationRequest,
  client: Client,
  { signedIn: { session }, done }: { readonly signedIn: SignedIn; readonly done: Done },
  context: Context,
): boolean {
  if (subjectHint !== undefined && subjectHint !== subjectFor(client, session.subject, context)) return true
  if (done === 'signed-in') return false
  return prompt.includes('login') || maxAge === 0 || context.now() - session.authenticated > (maxAge ?? Infinity)
}

/**
 * What was allowed before is not asked again, unless anybody could be waiting at the redirect URI (RFC 8252 §8.6), or
 * there are details, which are about one occasion (RFC 9396).
 */
async function mustConsent(
  { prompt, scope, redirectUri, authorizationDetails }: AuthorizationRequest,
  { client_id: clientId, consent }: Client,
  { session: { subject } }: SignedIn,
  { store }: Context,
): Promise<boolean> {
  if (prompt.includes('consent')) return true
  if (consent === 'skip') return false
  if (authorizationDetails.length > 0 || isClaimable(redirectUri)) return true
  const remembered = (await store.findConsent({ subject, clientId }))?.split(' ') ?? []
  return !scope.split(' ').every((each) => remembered.includes(each))
}

/** Remembers what a person has allowed, beside what they allowed before. */
export async function rememberConsent(
  { clientId, scope, authorizationDetails }: AuthorizationRequest,
  { signedIn, inbound: { address } }: { readonly signedIn: SignedIn; readonly inbound: Pick<Inbound, 'address'> },
  { store, audit }: Context,
): Promise<void> {
  const { subject } = signedIn.session
  const before = (await store.findConsent({ subject, clientId }))?.split(' ') ?? []
  const types = authorizationDetails.map(({ type }) => String(type))
  await store.audited({
    verb: 'rememberConsent',
    data: { subject, clientId, scope: [...new Set([...before, ...scope.split(' ')])].join(' ') },
    audit: audit({
      event: 'consent_given',
      actor: `person:${subject}`,
      subject,
      client: clientId,
      ...(address !== undefined && { address }),
      details: { scope, ...(types.length > 0 && { authorization_details_types: types.join(' ') }) },
    }),
  })
}
