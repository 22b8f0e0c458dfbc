import { request } from 'node:https'
import { type Browser, openBrowser } from './browser.ts'
import type { Answer, Harness } from './harness.ts'

/** What a person does on the pages. */
export interface Person {
  readonly username?: string
  readonly password?: string
  readonly decision?: 'allow' | 'deny'
  /** The browser that the person sits at: a new one when left out. */
  readonly browser?: Browser
}

/** Opens an address of the authorization endpoint, fills in every form, and gives where the browser is sent in the end. */
export async function walk(server: Pick<Harness, 'send'>, url: string, person: Person = {}): Promise<string> {
  const { username = 'alice', password = 'alice', decision = 'allow', browser = openBrowser(server) } = person
  const { pathname, search } = new URL(url)
  let page = await browser.get(pathname + search)
  for (let step = 0; step < 4 && page.location === ''; step++) {
    if (page.form.action === '/sign-in') page = await browser.submit(page, { username, password })
    else if (page.form.action === '/consent') page = await browser.submit(page, { decision })
    else throw new Error(`The walker knows no way on: ${page.status} ${page.form.action}`)
  }
  return page.location
}

/** A server on localhost that is none of the harness, as far as browsers see it. */
export function serverAt(origin: string, ca: string): Pick<Harness, 'send'> {
  const { port } = new URL(origin)
  return {
    send: ({ method, path, headers, body }) =>
      new Promise<Answer>((resolve, reject) => {
        const options = { host: '127.0.0.1', servername: 'localhost', port, method, path, ca, agent: false as const }
        const sent = request({ ...options, headers: headers as Record<string, string> }, (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk
          })
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: {} }),
          )
        })
        sent.on('error', reject).end(body)
      }),
  }
}
