import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isJsonObject, type JsonObject, parseJsonObject, parseJwt } from '@holdfast/pop'
import { ClientError, createClient, createSignIn, type Session } from '@holdfast/pop/client/node'
import { createListener, type Listening } from '../http/listeners.ts'
import { pageHeaders } from '../pages/headers.ts'
import type { Credentials } from './credentials.ts'
import { applicationPath, serveApplication } from './sample-application.ts'
import { type Called, renderFailed, renderSignedIn, renderWelcome, sampleLook } from './sample-page-view.ts'
import { type originsOf, peopleScope, webCredentials } from './seed.ts'

/** What the sample web page is told. */
export interface SamplePageOptions {
  readonly origins: ReturnType<typeof originsOf>
  readonly credentials: Credentials
  /** The connections of somebody who has no certificate. */
  readonly strangersFetch: typeof fetch
}

/** Another name than the issuer's cookies: browsers give the cookies of a host to all of its ports. */
const cookieName = '__Host-sample'

/** How many people can be signed in. The one who came first goes first. */
const capacity = 100

/**
 * The web page that shows how a web application does it. It never asks the browser for a certificate: the key is that of
 * its own back end, which signs people in, keeps their tokens and calls the API.
 */
export function createSamplePage({ origins, credentials, strangersFetch }: SamplePageOptions): Listening {
  const { certificate, key } = credentials.web
  const ca = credentials.ca.certificate
  const client = createClient({ issuer: origins.issuer, ...webCredentials, certificate: { certificate, key }, ca })
  const signIn = createSignIn({ client, redirect_uri: `${origins.web}/callback`, scope: peopleScope })
  const sessions = new Map<string, Session>()
  const identity = `${origins.api}/identity`

  const handlers: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => Promise<void>>> = {
    'GET /': async (request, response) => {
      const session = sessions.get(cookieOf(request))
      if (!session) return show(response, 200, renderWelcome())
      const token = await client.token({ session })
      const called = await read(await client.fetch(identity, {}, { session }))
      const authorization = `Bearer ${token.access_token}`
      const stolen = await read(await strangersFetch(identity, { headers: { authorization } }))
      const claims = parseJwt(token.access_token)?.claims
      show(response, 200, renderSignedIn({ person: await client.userinfo(session), claims, called, stolen }))
    },
    'GET /sign-in': async (_, response) => {
      const { status, headers } = await signIn.begin()
      response.writeHead(status, headers).end()
    },
    'GET /callback': async (request, response) => {
      const { session, returnTo, headers } = await signIn.callback({ url: request.url ?? '', headers: request.headers })
      sessions.delete(cookieOf(request))
      const id = randomBytes(32).toString('base64url')
      sessions.set(id, session)
      for (const oldest of sessions.keys()) if (sessions.size > capacity) sessions.delete(oldest)
      const cookies = [headers['set-cookie'], renderCookie(id)]
      redirect(response, returnTo, cookies)
    },
    'POST /sign-out': async (request, response) => {
      const site = request.headers['sec-fetch-site'] ?? 'same-origin'
      if (site !== 'same-origin' && site !== 'none') return show(response, 403, renderFailed())
      const session = sessions.get(cookieOf(request))
      sessions.delete(cookieOf(request))
      const next = session && (await client.signOutUrl(session, `${origins.web}/`))
      if (session) await client.signOut(session)
      redirect(response, next ?? '/', [`${renderCookie('')}; Max-Age=0`])
    },
  }

  const route = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '/', origins.web)
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const handle = handlers[`${method} ${pathname}`]
    try {
      const served =
        method === 'GET' && pathname.startsWith(applicationPath) && (await serveApplication(pathname, origins))
      if (served) return void response.writeHead(200, served.headers).end(served.body)
      await (handle ? handle(request, response) : show(response, 404, renderFailed()))
    } catch (error) {
      if (error instanceof ClientError && error.reason === 'sign_in_required') sessions.delete(cookieOf(request))
      show(response, 400, renderFailed(error instanceof ClientError ? error : undefined))
    }
  }

  const show = (response: ServerResponse, status: number, page: string): void => {
    response.writeHead(status, pageHeaders(sampleLook, { redirectUri: origins.issuer })).end(page)
  }

  let draining = false
  const { certificate: cert, key: serverKey } = credentials.server
  const listening = createListener(
    {
      port: Number(new URL(origins.web).port),
      host: 'localhost',
      origin: origins.web,
      certificate: cert,
      key: serverKey,
    },
    { origin: origins.web, asks: false, aliasesOnly: false },
    {
      route(request, response) {
        if (draining) response.setHeader('connection', 'close')
        void route(request, response)
      },
      report() {},
      onDrain() {
        draining = true
      },
    },
  )
  const close = async () => {
    await listening.close()
    await client.close()
  }
  return { ...listening, close }
}

async function read(response: Response): Promise<Called> {
  const json: JsonObject = parseJsonObject(await response.text()) ?? {}
  const { verdict } = json
  const checks = isJsonObject(verdict) && isJsonObject(verdict.checks) ? Object.keys(verdict.checks) : []
  return { status: response.status, checks, challenge: response.headers.get('www-authenticate') ?? undefined }
}

function redirect(response: ServerResponse, location: string, cookies: readonly string[]): void {
  response.writeHead(303, { location, 'set-cookie': [...cookies], 'cache-control': 'no-store' }).end()
}

function cookieOf({ headers }: IncomingMessage): string {
  const start = `${cookieName}=`
  const pair = headers.cookie?.split('; ').find((each) => each.startsWith(start))
  return pair?.slice(start.length) ?? ''
}

function renderCookie(value: string): string {
  return `${cookieName}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax`
}
