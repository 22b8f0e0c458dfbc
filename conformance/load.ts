import { Agent, request } from 'node:https'
import { encodeForm, type Form } from './harness.ts'

/** For tests: what came of one of many requests. `error` instead of a status: it was not answered. */
export interface Outcome {
  /** When it was on its way, on a connection that was there, and when answered: in milliseconds of `performance.now`. */
  readonly sent: number
  readonly answered: number
  readonly status?: number
  readonly error?: string
  readonly text: string
}

/** For tests: a client under whose hands connections are kept, as those of browsers and libraries are. */
export interface Load {
  readonly outcomes: Outcome[]
  post(form: Form, path?: string, headers?: Readonly<Record<string, string>>): Promise<Outcome>
  /** Sends so many requests a second, whatever comes back, until it is told to stop. */
  run(rate: number, next: () => Promise<unknown>): { stop(): Promise<void> }
  close(): void
}

const mostOpen = 600

/**
 * For tests: creates a client of the server behind a port. A request that finds its kept connection closed under it is sent
 * once more on a new one, as all HTTP clients do: nobody has read it.
 */
export function createLoad(port: () => number, ca: string, maxSockets = 16): Load {
  const trust = { ca, servername: 'localhost' }
  const agent = new Agent({ ...trust, keepAlive: true, maxSockets })
  const outcomes: Outcome[] = []

  const send = (
    path: string,
    body: string,
    more: Readonly<Record<string, string>>,
    kept: Agent | false,
  ): Promise<Omit<Outcome, 'answered'> & { readonly again?: true }> =>
    new Promise((resolve) => {
      let sent = performance.now()
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        'content-length': Buffer.byteLength(body),
        ...more,
      }
      const options = { host: '127.0.0.1', port: port(), path, method: 'POST', ...trust, agent: kept, headers }
      const outgoing = request(options, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (more: string) => {
          text += more
        })
        response.on('end', () => resolve({ sent, status: response.statusCode ?? 0, text }))
        response.on('error', (cause) => resolve({ sent, error: cause.message, text }))
      })
      outgoing.on('error', (cause) =>
        resolve({ sent, error: cause.message, text: '', ...(outgoing.reusedSocket && { again: true }) }),
      )
      outgoing.once('finish', () => {
        sent = performance.now()
      })
      outgoing.end(body)
    })

  return {
    outcomes,
    async post(form, path = '/token', more = {}) {
      const body = encodeForm(form)
      let { again, ...got } = await send(path, body, more, agent)
      // Another kept one may have been closed with the first.
      if (again) ({ again, ...got } = await send(path, body, more, false))
      const outcome = { answered: performance.now(), ...got }
      outcomes.push(outcome)
      return outcome
    },
    run(rate, next) {
      const open = new Set<Promise<unknown>>()
      const began = performance.now()
      let count = 0
      const timer = setInterval(() => {
        for (; count < ((performance.now() - began) / 1000) * rate; count++) {
          // On a machine that cannot keep up the rest is left out.
          if (open.size >= mostOpen) continue
          const one = next().finally(() => open.delete(one))
          open.add(one)
        }
      }, 5)
      return {
        async stop() {
          clearInterval(timer)
          await Promise.all(open)
        },
      }
    },
    close: () => agent.destroy(),
  }
}
