import { createHmac } from 'node:crypto'
import { equalInConstantTime, type Inbound, type Parameters, Refused, type Seconds } from '@holdfast/pop'
import { readCookie, renderCookie } from '../authorization/cookies.ts'
import { formOfOwnPage } from '../authorization/own-page.ts'
import { beginSession, findSignedIn, type SignedIn } from '../authorization/session.ts'
import type { Context } from '../context.ts'
import type { Authorization, DeviceAuthorization } from '../model/authorization.ts'
import type { Client } from '../model/client.ts'
import { descriptionsOf } from '../pages/asks.ts'
import { type DeviceEntryPage, renderDeviceConfirm, renderDeviceDone, renderDeviceEntry } from '../pages/device.ts'
import { renderSignIn, type SignInPage } from '../pages/sign-in.ts'
import { createHandle } from '../tokens/handle.ts'
import { renderUserCode, userCodeHash } from '../tokens/user-code.ts'
import { behindIssuer, type Endpoint, type Outbound, queryOf } from './endpoint.ts'
import { answerPage, lookOf } from './page.ts'
import { renderPageRefusal } from './page-refusal.ts'
import { accountOf, nameOf } from './visit-page.ts'

/** The longest that tokens follow from an authorization whose refresh token has ended. */
const longestAccessToken: Seconds = 86_400

/**
 * Where people enter the code of a device, sign in, and allow or deny what it asks for: always asked, and the code is
 * shown again, since anybody may have sent the link. RFC 8628 §3.3, §5.4.
 */
export const device: Endpoint = {
  paths: behindIssuer('/device'),
  methods: ['GET', 'POST'],
  renderRefusal: renderPageRefusal,
  handle,
}

/** A browser at this page: its secret keys the tokens of its forms. */
interface Visitor {
  readonly inbound: Inbound
  readonly secret: string
  readonly cookies: readonly string[]
}

/** A device that waits for an answer. */
interface Waiting {
  readonly device: DeviceAuthorization
  readonly client: Client
  readonly userCode: string
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  if (inbound.method !== 'POST') {
    const secret = readCookie(inbound, 'browser') ?? createHandle(context.primitives.random)
    const visitor = { inbound, secret, cookies: [renderCookie('browser', secret)] }
    return entry(visitor, { userCode: queryOf(inbound).one('user_code') }, context)
  }
  const parameters = formOfOwnPage(inbound, ['step', 'csrf', 'user_code', 'username', 'password', 'decision'])
  const secret = readCookie(inbound, 'browser')
  if (secret === undefined) throw new Refused('flow_unknown')
  return await advance({ inbound, secret, cookies: [] }, parameters, context)
}

async function advance(visitor: Visitor, parameters: Parameters, context: Context): Promise<Outbound> {
  const step = parameters.one('step')
  const typed = parameters.one('user_code')
  const signedIn = await findSignedIn(visitor.inbound, context)
  requireToken(visitor, parameters, step === 'enter' ? [] : [typed, step === 'confirm' ? signedIn?.session.hash : ''])
  const waiting = await findWaiting(typed ?? '', visitor.inbound, context)
  if (!waiting) return entry(visitor, { userCode: typed, problem: 'unknown' }, context)
  switch (step) {
    case 'enter':
      return signedIn ? confirm(visitor, waiting, signedIn, context) : askWho(visitor, waiting, {}, context)
    case 'sign-in':
      return await signIn(visitor, waiting, parameters, context)
    case 'confirm':
      if (!signedIn) return askWho(visitor, waiting, { problem: 'expired' }, context)
      return await decide(visitor, { waiting, signedIn, decision: parameters.one('decision') }, context)
    default:
      throw new Refused('page_form_altered')
  }
}

/** Wrong codes count against the address that sends them. RFC 8628 §5.1. */
async function findWaiting(
  typed: string,
  { address }: Inbound,
  { store, clients, userCodeGuesses, now }: Context,
): Promise<Waiting | undefined> {
  userCodeGuesses.requireLeft('', address)
  const hash = userCodeHash(typed)
  const found = hash === undefined ? undefined : await store.findDeviceAuthorization({ userCodeHash: hash })
  const client = found && (await clients.find(found.clientId))
  if (found?.stage === 'pending' && found.expires > now() && client && !client.disabled)
    return { device: found, client, userCode: renderUserCode(typed) }
  userCodeGuesses.failed('', address)
  return undefined
}

async function signIn(visitor: Visitor, waiting: Waiting, parameters: Parameters, context: Context): Promise<Outbound> {
  const [username, password] = [parameters.one('username') ?? '', parameters.one('password') ?? '']
  const person = await context.people.authenticate(username, password, visitor.inbound.address)
  if (!person) {
    context.report({ level: 'info', event: 'sign_in_failed', client: waiting.client.client_id })
    return askWho(visitor, waiting, { username: username.slice(0, 128), problem: 'wrong' }, context)
  }
  const { signedIn, cookie } = await beginSession(visitor.inbound, person, ['pwd'], context)
  return confirm({ ...visitor, cookies: [cookie] }, waiting, signedIn, context)
}

async function decide(
  visitor: Visitor,
  { waiting, signedIn, decision }: { waiting: Waiting; signedIn: SignedIn; decision: string | undefined },
  context: Context,
): Promise<Outbound> {
  if (decision === 'switch') return askWho(visitor, waiting, {}, context)
  if (decision !== 'allow' && decision !== 'deny') throw new Refused('page_form_altered')
  const authorization = decision === 'allow' ? { authorization: authorizationOf(waiting, signedIn, context) } : {}
  const { userCodeHash: hash } = waiting.device
  const decided = await context.store.decideDevice({ userCodeHash: hash, now: context.now(), ...authorization })
  if (!decided) return entry(visitor, { userCode: waiting.userCode, problem: 'unknown' }, context)
  const look = lookOf(visitor.inbound, context.settings)
  return answerPage(renderDeviceDone({ outcome: decision === 'allow' ? 'approved' : 'denied' }, look), look)
}

function authorizationOf(
  { device: { clientId, scope, resources, expires }, client }: Waiting,
  { session: { subject, sid, authenticated, methods } }: SignedIn,
  { now, primitives }: Context,
): Authorization {
  const [id, created] = [createHandle(primitives.random), now()]
  const asked = { clientId, scope, resources, authorizationDetails: [] }
  const ends = Math.max(created + client.refresh_token_lifetime, expires + longestAccessToken)
  return { id, subject, ...asked, sid, authenticated, methods, created, expires: ends }
}

function entry(
  visitor: Visitor,
  { userCode, problem }: Pick<DeviceEntryPage, 'userCode' | 'problem'>,
  { settings }: Context,
): Outbound {
  const look = lookOf(visitor.inbound, settings)
  const page = { ...formOf(visitor, 'enter', [], settings), userCode, ...(problem && { problem }) }
  const { cookies } = visitor
  return answerPage(renderDeviceEntry(page, look), look, { status: problem ? 400 : 200, cookies })
}

function askWho(
  visitor: Visitor,
  { client, userCode }: Waiting,
  { username, problem }: Pick<SignInPage, 'username' | 'problem'>,
  { settings }: Context,
): Outbound {
  const look = lookOf(visitor.inbound, settings)
  const form = formOf(visitor, 'sign-in', [userCode, ''], settings)
  const body = renderSignIn({ ...form, client: nameOf(client), username, problem }, look)
  return answerPage(body, look, { status: problem === 'wrong' ? 400 : 200, cookies: visitor.cookies })
}

function confirm(
  visitor: Visitor,
  { client, device: { scope }, userCode }: Waiting,
  signedIn: SignedIn,
  { settings }: Context,
): Outbound {
  const look = lookOf(visitor.inbound, settings)
  const form = formOf(visitor, 'confirm', [userCode, signedIn.session.hash], settings)
  const asked = { client: nameOf(client), scope, descriptions: descriptionsOf(settings.apis) }
  const body = renderDeviceConfirm({ ...form, ...asked, account: accountOf(signedIn), userCode }, look)
  return answerPage(body, look, { cookies: visitor.cookies })
}

type Step = 'enter' | 'sign-in' | 'confirm'

/** What a form is about: the code, and who is signed in, so that nobody else answers by it. */
type About = readonly [] | readonly [userCode: string, session: string]

function formOf(visitor: Visitor, step: Step, about: About, settings: Context['settings']) {
  const [action = ''] = device.paths(settings)
  const [userCode] = about
  const fields: [string, string][] = [
    ['step', step],
    ['csrf', tokenOf(visitor, step, about)],
  ]
  return { action, fields: userCode === undefined ? fields : [...fields, ['user_code', userCode] as [string, string]] }
}

function tokenOf({ secret }: Visitor, step: string, about: readonly (string | undefined)[]): string {
  return createHmac('sha256', secret)
    .update(JSON.stringify(['device', step, ...about]))
    .digest('base64url')
}

function requireToken(visitor: Visitor, parameters: Parameters, about: readonly (string | undefined)[]): void {
  const token = tokenOf(visitor, parameters.one('step') ?? '', about)
  if (!equalInConstantTime(parameters.one('csrf') ?? '', token)) throw new Refused('page_token_wrong')
}
