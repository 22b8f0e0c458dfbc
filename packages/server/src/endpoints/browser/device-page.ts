import { createHmac } from 'node:crypto'
import { equalInConstantTime, type Inbound, type Parameters, Refused } from '@holdfast/pop'
import type { SignedIn } from '../../authorization/session.ts'
import type { DeviceAuthorization } from '../../model/authorization.ts'
import type { Client } from '../../model/client.ts'
import { descriptionsOf } from '../../pages/asks.ts'
import { type DeviceEntryPage, renderDeviceConfirm, renderDeviceEntry } from '../../pages/device.ts'
import type { Form } from '../../pages/document.ts'
import { renderSignIn, type SignInPage } from '../../pages/sign-in.ts'
import type { Settings } from '../../settings.ts'
import { behindIssuer, type Endpoint, type Outbound } from '../endpoint.ts'
import { answerPage, lookOf } from './page.ts'
import { accountOf, nameOf } from './visit-page.ts'

/** Where the forms of a device's visit go. */
export const devicePaths: Endpoint['paths'] = behindIssuer('/device')

/** A browser that answers for a device: its secret keys the tokens of its forms. */
export interface DeviceVisitor {
  readonly inbound: Inbound
  readonly secret: string
  /** To be set with the answer. */
  readonly cookies: readonly string[]
}

/** A device that waits for its answer. */
export interface WaitingDevice {
  readonly device: DeviceAuthorization
  readonly client: Client
  /** As the device shows it. */
  readonly userCode: string
}

/** Shows the page that asks for the code. */
export function showEntry(
  visitor: DeviceVisitor,
  { userCode, problem }: Pick<DeviceEntryPage, 'userCode' | 'problem'>,
  settings: Settings,
): Outbound {
  const look = lookOf(visitor.inbound, settings)
  const page = { ...formOf(visitor, 'enter', [], settings), userCode, ...(problem && { problem }) }
  return answerPage(renderDeviceEntry(page, look), look, { status: problem ? 400 : 200, cookies: visitor.cookies })
}

/** Shows the page where the person signs in. */
export function showSignIn(
  visitor: DeviceVisitor,
  { client, userCode }: WaitingDevice,
  { username, problem }: Pick<SignInPage, 'username' | 'problem'>,
  settings: Settings,
): Outbound {
  const look = lookOf(visitor.inbound, settings)
  const form = formOf(visitor, 'sign-in', [userCode], settings)
  const body = renderSignIn({ ...form, client: nameOf(client), username, problem }, look)
  return answerPage(body, look, { status: problem === 'wrong' ? 400 : 200, cookies: visitor.cookies })
}

/** Shows what the device asks for. */
export function showConfirm(
  visitor: DeviceVisitor,
  { client, device: { scope }, userCode }: WaitingDevice,
  signedIn: SignedIn,
  settings: Settings,
): Outbound {
  const look = lookOf(visitor.inbound, settings)
  const form = formOf(visitor, 'confirm', [userCode, signedIn.session.hash], settings)
  const asked = { client: nameOf(client), scope, descriptions: descriptionsOf(settings.apis) }
  const body = renderDeviceConfirm({ ...form, ...asked, account: accountOf(signedIn), userCode }, look)
  return answerPage(body, look, { cookies: visitor.cookies })
}

/**
 * Takes a form that one of these pages in this browser has sent: the token is about its step, its code and, at the
 * confirmation, who was signed in when it was shown, so that nobody else answers by it.
 * @throws {@link Refused} `page_token_wrong`
 */
export function requireDeviceToken(
  visitor: DeviceVisitor,
  parameters: Parameters,
  signedIn: SignedIn | undefined,
): void {
  const step = parameters.one('step') ?? ''
  const code = parameters.one('user_code') ?? ''
  const about = step === 'enter' ? [] : step === 'sign-in' ? [code] : [code, signedIn?.session.hash ?? '']
  if (!equalInConstantTime(parameters.one('csrf') ?? '', tokenOf(visitor, step, about)))
    throw new Refused('page_token_wrong')
}

function formOf(
  visitor: DeviceVisitor,
  step: 'enter' | 'sign-in' | 'confirm',
  about: readonly string[],
  settings: Settings,
): Form {
  const [action = ''] = devicePaths(settings)
  const [userCode] = about
  return {
    action,
    fields: [
      ['step', step],
      ['csrf', tokenOf(visitor, step, about)],
      ...(userCode === undefined ? [] : [['user_code', userCode] as const]),
    ],
  }
}

function tokenOf({ secret }: DeviceVisitor, step: string, about: readonly string[]): string {
  return createHmac('sha256', secret)
    .update(JSON.stringify(['device', step, ...about]))
    .digest('base64url')
}
