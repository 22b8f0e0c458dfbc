import { createServer as createPlainServer, type RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { issueCertificate } from '@holdfast/pop/certificates'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { Harness } from '../harness.ts'
import { findProgram } from '../requires.ts'

/** Chromium, and everything in its pages that a Content-Security-Policy refused or a script threw. */
export interface Chromium {
  readonly browser: Browser
  readonly complaints: string[]
  /** A person's browser of its own, with the certificate of the harness taken for good. */
  open(options?: BrowserContextOptions): Promise<{ readonly context: BrowserContext; readonly page: Page }>
  close(): Promise<void>
}

/** Starts the machine's Chromium without a window. */
export async function startChromium(): Promise<Chromium> {
  const executablePath = findProgram('chromium')
  if (executablePath === undefined) throw new Error('there is no chromium in PATH')
  // Its own sandbox does not start as root, which containers run as.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  const complaints: string[] = []
  return {
    browser,
    complaints,
    async open(options = {}) {
      const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en', ...options })
      const page = await context.newPage()
      page.setDefaultTimeout(10_000)
      page.on('console', (message) => {
        if (/Content.Security.Policy/i.test(message.text())) complaints.push(message.text())
      })
      page.on('pageerror', (error) => complaints.push(error.message))
      return { context, page }
    },
    close: () => browser.close(),
  }
}

/** A client's address where codes arrive: it shows what came, in its title, and takes forms too. */
export interface Callback {
  readonly uri: string
  close(): Promise<void>
}

/** The address of a web application, on TLS; or that of a native one, on the loopback interface without. */
export async function startCallback(over: 'tls' | 'loopback'): Promise<Callback> {
  const answer: RequestListener = ({ method, url = '' }, response) => {
    response
      .setHeader('content-type', 'text/html')
      .end(`<!doctype html><title>arrived by ${method} at ${url.split('?')[0]}</title>`)
  }
  const server: Server = over === 'tls' ? createServer(await selfSigned(), answer) : createPlainServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // as: a server on a TCP port has an address of this kind
  const { port } = server.address() as AddressInfo
  return {
    uri: over === 'tls' ? `https://localhost:${port}/callback` : `http://127.0.0.1:${port}/callback`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** The address of the authorization endpoint, with a request. */
export function authorizeAt({ issuer }: Harness, parameters: Readonly<Record<string, string>>): string {
  return `${issuer}/authorize?${new URLSearchParams(parameters)}`
}

async function selfSigned(): Promise<{ readonly cert: string; readonly key: string }> {
  const { certificate, key } = await issueCertificate({ subject: 'localhost', dns: ['localhost'], keyType: 'P-256' })
  return { cert: certificate, key }
}
