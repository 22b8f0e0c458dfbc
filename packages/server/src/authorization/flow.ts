import { createHmac } from 'node:crypto'
import { equalInConstantTime, type Inbound, type Parameters, Refused, type Seconds } from '@holdfast/pop'
import type { Context } from '../context.ts'
import type { AuthorizationRequest, Flow, Session } from '../model/authorization.ts'
import { createHandle, handleHash } from '../tokens/handle.ts'
import { readCookie, renderCookie } from './cookies.ts'

/** From the visit of the authorization endpoint to the answer of the person. */
const flowLifetime: Seconds = 600

/** A request on its way to its answer: what was asked for, and the pushed request or the flow that ends with it. */
export interface Visit {
  readonly request: AuthorizationRequest
  /** Of a request that was pushed: its hash. */
  readonly pushedRequest?: string
  /** Once a page was needed. */
  readonly flow?: OpenFlow
}

/** A flow in the hands of its browser. */
export interface OpenFlow {
  /** What forms name it by. */
  readonly id: string
  readonly hash: string
  /** The secret of the browser: keys the tokens of its forms. */
  readonly secret: string
  readonly created: Seconds
}

/** Which form of a flow a token is for. */
export type PageForm = { readonly page: 'sign-in' } | { readonly page: 'choose' | 'consent'; readonly session: Session }

/**
 * Begins a flow at the browser of a request. A browser keeps its secret, so that pages beside each other work.
 * @throws {@link Refused} `starts_exhausted`
 */
export async function beginFlow(
  inbound: Pick<Inbound, 'headers' | 'address'>,
  { request, pushedRequest }: Visit,
  { store, now, primitives, starts }: Context,
): Promise<{ readonly flow: OpenFlow; readonly cookie: string }> {
  await starts.take('', inbound.address)
  const id = createHandle(primitives.random)
  const secret = readCookie(inbound, 'browser') ?? createHandle(primitives.random)
  const created = now()
  const flow = { hash: handleHash(id), browser: handleHash(secret), request, created, expires: created + flowLifetime }
  await store.insertFlow(pushedRequest === undefined ? flow : { ...flow, pushedRequest })
  return { flow: { id, hash: flow.hash, secret, created }, cookie: renderCookie('browser', secret) }
}

/**
 * Finds the flow that a form names, at the browser in which it began and in time.
 * @throws {@link Refused} `flow_unknown`
 */
export async function findFlow(
  inbound: Pick<Inbound, 'headers'>,
  parameters: Parameters,
  { store, now }: Context,
): Promise<Visit & { readonly flow: OpenFlow }> {
  const [id, secret] = [parameters.one('flow'), readCookie(inbound, 'browser')]
  const known = id !== undefined && /^[A-Za-z0-9_-]{43}$/.test(id)
  const flow: Flow | undefined = known ? await store.findFlow(handleHash(id)) : undefined
  if (id === undefined || secret === undefined || !flow || flow.expires <= now()) throw new Refused('flow_unknown')
  if (!equalInConstantTime(flow.browser, handleHash(secret))) throw new Refused('flow_unknown')
  const { hash, request, pushedRequest, created } = flow
  return { request, ...(pushedRequest !== undefined && { pushedRequest }), flow: { id, hash, secret, created } }
}

/**
 * The token of a form: only our own page in this browser has it. That of the consent page also says for whom it was
 * shown, so that nobody else consents by it.
 */
export function formToken({ id, secret }: OpenFlow, form: PageForm): string {
  const session = form.page === 'sign-in' ? '' : form.session.hash
  return createHmac('sha256', secret).update(`${form.page} ${id} ${session}`).digest('base64url')
}

/** @throws {@link Refused} `page_token_wrong` */
export function requireFormToken(parameters: Parameters, flow: OpenFlow, form: PageForm): void {
  if (!equalInConstantTime(parameters.one('csrf') ?? '', formToken(flow, form))) throw new Refused('page_token_wrong')
}
