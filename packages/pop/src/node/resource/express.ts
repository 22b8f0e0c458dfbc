import type { Guard, Needs } from '../../resource/guard.ts'
import { type Admitted, renderVerdict } from '../../resource/verdict.ts'
import { announce, judgeRequest, metadataAnswer, type NodeRequest, type NodeResponse, send } from './exchange.ts'

/** What is read of a request: those of Express and Connect fit. The verdict is put beside it. */
export interface ExpressRequest extends NodeRequest {
  /** The target as it arrived: `url` loses what the router has matched. */
  readonly originalUrl?: string
  verdict?: Admitted
}

/**
 * Middleware for Express: lets a request through with `request.verdict` (see `verdictOf`), or answers it.
 * Also answers at the well-known place with the API's metadata, where that lies below it.
 *
 * @example
 * app.use(protect(guard))
 * app.get('/orders', protect(guard, { scope: 'orders' }), (request, response) => response.json(verdictOf(request).token.claims))
 */
export function protect(
  guard: Guard,
  needs?: Needs,
): (request: ExpressRequest, response: NodeResponse, next: (cause?: unknown) => void) => void {
  async function serve(request: ExpressRequest, response: NodeResponse, next: (cause?: unknown) => void) {
    try {
      const { method, url, originalUrl = url, rawHeaders, socket } = request
      const whole = { method, url: originalUrl, rawHeaders, socket }
      const metadata = metadataAnswer(guard, whole)
      if (metadata) return send(response, metadata)
      const verdict = await judgeRequest(guard, whole, needs)
      if (!verdict.admitted) return send(response, renderVerdict(verdict))
      request.verdict = verdict
      announce(response, verdict)
      next()
    } catch (cause) {
      next(cause)
    }
  }
  return (request, response, next) => void serve(request, response, next)
}
