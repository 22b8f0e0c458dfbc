import { type Inbound, type Parameters, Refused, type Seconds } from '@holdfast/pop'
import { readCookie, renderCookie } from '../../authorization/cookies.ts'
import { formOfOwnPage } from '../../authorization/own-page.ts'
import { beginSession, findSignedIn, type SignedIn } from '../../authorization/session.ts'
import type { Context } from '../../context.ts'
import type { Authorization } from '../../model/authorization.ts'
import { renderDeviceDone } from '../../pages/device.ts'
import { createHandle } from '../../tokens/handle.ts'
import { renderUserCode, userCodeHash } from '../../tokens/user-code.ts'
import { type Endpoint, type Outbound, queryOf } from '../endpoint.ts'
import {
  type DeviceVisitor,
  devicePaths,
  requireDeviceToken,
  showConfirm,
  showEntry,
  showSignIn,
  type WaitingDevice,
} from './device-page.ts'
import { answerPage, lookOf } from './page.ts'
import { renderPageRefusal } from './page-refusal.ts'

/** The longest life of an access token: what stands for it must not go earlier. */
const longestAccessToken: Seconds = 86_400

/**
 * Where people enter the code of a device, sign in, and allow or deny what it asks for: always asked, and the code is
 * shown again, since anybody may have sent the link. RFC 8628 §3.3, §5.4.
 */
export const device: Endpoint = {
  paths: devicePaths,
  methods: ['GET', 'POST'],
  renderRefusal: renderPageRefusal,
  handle,
}

async function handle(inbound: Inbound, context: Context): Promise<Outbound> {
  const known = readCookie(inbound, 'browser')
  if (inbound.method !== 'POST') {
    const secret = known ?? createHandle(context.primitives.random)
    const visitor = { inbound, secret, cookies: [renderCookie('browser', secret)] }
    return showEntry(visitor, { userCode: queryOf(inbound).one('user_code') }, context.settings)
  }
  if (known === undefined) throw new Refused('flow_unknown')
  const parameters = formOfOwnPage(inbound, ['step', 'csrf', 'user_code', 'username', 'password', 'decision'])
  return await advance({ inbound, secret: known, cookies: [] }, parameters, context)
}

async function advance(visitor: DeviceVisitor, parameters: Parameters, context: Context): Promise<Outbound> {
  const { settings } = context
  const signedIn = await findSignedIn(visitor.inbound, context)
  requireDeviceToken(visitor, parameters, signedIn)
  const userCode = parameters.one('user_code') ?? ''
  const waiting = await findWaiting(userCode, visitor.inbound, context)
  if (!waiting) return showEntry(visitor, { userCode, problem: 'unknown' }, settings)
  switch (parameters.one('step')) {
    case 'enter':
      return signedIn ? showConfirm(visitor, waiting, signedIn, settings) : showSignIn(visitor, waiting, {}, settings)
    case 'sign-in':
      return await signIn(visitor, waiting, parameters, context)
    default:
      if (!signedIn) return showSignIn(visitor, waiting, { problem: 'expired' }, settings)
      return await decide(visitor, { waiting, signedIn, decision: parameters.one('decision') }, context)
  }
}

/** Wrong codes count against the address that sends them. RFC 8628 §5.1. */
async function findWaiting(
  typed: string,
  { address }: Inbound,
  { store, clients, userCodeGuesses, now }: Context,
): Promise<WaitingDevice | undefined> {
  userCodeGuesses.requireLeft('', address)
  const hash = userCodeHash(typed)
  const found = hash === undefined ? undefined : await store.findDeviceAuthorization({ userCodeHash: hash })
  const client = found && (await clients.find(found.clientId))
  const isRight = found?.stage === 'pending' && found.expires > now() && client && !client.disabled
  await userCodeGuesses.settle('', address, isRight ? 'right' : 'wrong')
  return isRight ? { device: found, client, userCode: renderUserCode(typed) } : undefined
}

async function signIn(
  visitor: DeviceVisitor,
  waiting: WaitingDevice,
  parameters: Parameters,
  context: Context,
): Promise<Outbound> {
  const [username, password] = [parameters.one('username') ?? '', parameters.one('password') ?? '']
  const person = await context.people.authenticate(username, password, visitor.inbound.address)
  if (!person) {
    const { address } = visitor.inbound
    const source = { client: waiting.client.client_id, ...(address !== undefined && { address }) }
    context.report({ level: 'info', event: 'sign_in_failed', ...source })
    return showSignIn(visitor, waiting, { username: username.slice(0, 128), problem: 'wrong' }, context.settings)
  }
  const arrived = { person, methods: ['pwd'], clientId: waiting.client.client_id }
  const { signedIn, cookie } = await beginSession(visitor.inbound, arrived, context)
  return showConfirm({ ...visitor, cookies: [cookie] }, waiting, signedIn, context.settings)
}

interface Answered {
  readonly waiting: WaitingDevice
  readonly signedIn: SignedIn
  readonly decision: string | undefined
}

async function decide(visitor: DeviceVisitor, answered: Answered, context: Context): Promise<Outbound> {
  const { waiting, decision } = answered
  if (decision === 'switch') return showSignIn(visitor, waiting, {}, context.settings)
  if (decision !== 'allow' && decision !== 'deny') throw new Refused('page_form_altered')
  const isDecided = await (decision === 'allow' ? approve(visitor, answered, context) : deny(answered, context))
  if (!isDecided) return showEntry(visitor, { userCode: waiting.userCode, problem: 'unknown' }, context.settings)
  const look = lookOf(visitor.inbound, context.settings)
  return answerPage(renderDeviceDone({ outcome: decision === 'allow' ? 'approved' : 'denied' }, look), look)
}

async function approve(
  { inbound: { address } }: DeviceVisitor,
  answered: Answered,
  context: Context,
): Promise<boolean> {
  const { store, now, audit } = context
  const { userCodeHash } = answered.waiting.device
  const authorization = authorizationOf(answered, context)
  const { clientId: client, subject, scope } = authorization
  return await store.audited({
    verb: 'decideDevice',
    data: { userCodeHash, now: now(), authorization },
    audit: audit({
      event: 'device_approved',
      actor: `person:${subject}`,
      subject,
      client,
      ...(address !== undefined && { address }),
      details: { scope },
    }),
  })
}

/** Nobody has anything by it: there is nothing to record. */
async function deny({ waiting: { device } }: Answered, { store, now }: Context): Promise<boolean> {
  return await store.decideDevice({ userCodeHash: device.userCodeHash, now: now() })
}

function authorizationOf({ waiting, signedIn }: Answered, { now, primitives }: Context): Authorization {
  const { clientId, scope, resources, expires } = waiting.device
  const { subject, sid, authenticated, methods } = signedIn.session
  const [id, created] = [createHandle(primitives.random), now()]
  const common = { id, clientId, subject, scope, resources, sid, authenticated, methods, created }
  const ends = Math.max(created + waiting.client.refresh_token_lifetime, expires + longestAccessToken)
  return { ...common, authorizationDetails: [], expires: ends }
}
