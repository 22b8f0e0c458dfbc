import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Guard, Needs } from '../../resource/guard.ts'
import { type Admitted, renderVerdict } from '../../resource/verdict.ts'
import { announce, judgeRequest, metadataAnswer, send } from './exchange.ts'

/**
 * Puts a guard in front of a handler of `node:http(s)`, which gets the verdict as its third argument.
 * Also answers at the well-known place with the API's metadata. An error of the handler never ends the process.
 *
 * @example
 * createServer({ ...clientCertificateTlsOptions, key, cert }, protect(guard, (request, response, { token }) => {
 *   response.end(`Hello, ${token.clientId}`)
 * }))
 */
export function protect<Request extends IncomingMessage, Response extends ServerResponse>(
  guard: Guard,
  handler: (request: Request, response: Response, verdict: Admitted) => unknown,
  needs?: Needs,
): (request: Request, response: Response) => void {
  async function serve(request: Request, response: Response): Promise<void> {
    try {
      const metadata = metadataAnswer(guard, request)
      if (metadata) return send(response, metadata)
      const verdict = await judgeRequest(guard, request, needs)
      if (!verdict.admitted) return send(response, renderVerdict(verdict))
      announce(response, verdict)
      await handler(request, response, verdict)
    } catch (cause) {
      const verdict = guard.decline(cause)
      if (response.headersSent) response.destroy()
      else send(response, renderVerdict(verdict))
    }
  }
  return (request, response) => void serve(request, response)
}
