import { createHash, randomBytes } from 'node:crypto'
import { type Answer, encodeForm, type Form, type Harness, type Sent } from './harness.ts'

/** A browser that keeps cookies, follows nothing by itself and runs no script. */
export interface Browser {
  /** What it would send. */
  readonly cookies: ReadonlyMap<string, string>
  get(path: string, sent?: Partial<Sent>): Promise<Page>
  post(path: string, form: Form, sent?: Partial<Sent>): Promise<Page>
  /** Opens the authorization endpoint. */
  authorize(parameters: Form, sent?: Partial<Sent>): Promise<Page>
  /** Fills in the form of a page and sends it, as that page would. */
  submit(page: Page, fields?: Form, sent?: Partial<Sent>): Promise<Page>
}

/** An answer as a browser sees it. */
export interface Page extends Answer {
  /** The form of the page: where it goes, and its hidden fields. */
  readonly form: { readonly action: string; readonly fields: Readonly<Record<string, string>> }
  /** Where the browser is sent, and with what. */
  readonly location: string
  readonly answer: Readonly<Record<string, string>>
}

/** Opens a browser without cookies. */
export function openBrowser(server: Pick<Harness, 'send'>): Browser {
  const cookies = new Map<string, string>()
  const send = async (request: Pick<Sent, 'method' | 'path'> & Partial<Sent>): Promise<Page> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...(cookie && { cookie }), ...request.headers }
    const answer = await server.send({ on: 'public', ...request, headers })
    for (const set of answer.headers['set-cookie'] ?? []) keep(set, cookies)
    return pageOf(answer)
  }
  const post: Browser['post'] = (path, form, sent = {}) =>
    send({
      method: 'POST',
      path,
      body: encodeForm(form),
      ...sent,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        origin: 'null',
        'sec-fetch-site': 'same-origin',
        ...sent.headers,
      },
    })
  return {
    cookies,
    get: (path, sent) => send({ method: 'GET', path, ...sent }),
    post,
    authorize: (parameters, sent) => send({ method: 'GET', path: `/authorize?${encodeForm(parameters)}`, ...sent }),
    submit: (page, fields = {}, sent) => post(page.form.action, { ...page.form.fields, ...fields }, sent),
  }
}

/** A code verifier and its challenge. RFC 7636 §4.1, §4.2. */
export function createVerifier(): { readonly verifier: string; readonly challenge: string } {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

/** The status and the error of a page that tells a person why it goes no further. */
export function refusalOn({ status, text }: Answer): { readonly status: number; readonly error: string | undefined } {
  return { status, error: [...(/<code>([a-z_]+)<\/code>/.exec(text) ?? [])][1] }
}

function keep(set: string, cookies: Map<string, string>): void {
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
  if (value === '') cookies.delete(name)
  else cookies.set(name, value)
}

function pageOf(answer: Answer): Page {
  const location = answer.headers.location ?? ''
  const [, after = ''] = /[?#]([^?#]*)$/.exec(location) ?? []
  const fields = [...answer.text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)]
  return {
    ...answer,
    location,
    answer: Object.fromEntries(new URLSearchParams(after)),
    form: {
      action: unescaped(/<form [^>]*action="([^"]*)"/.exec(answer.text)?.[1] ?? ''),
      fields: Object.fromEntries(fields.map(([, name = '', value = '']) => [name, unescaped(value)])),
    },
  }
}

function unescaped(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&#96;', '`')
    .replaceAll('&amp;', '&')
}
