import type { Guard, Needs } from '../../resource/guard.ts'
import type { Admitted } from '../../resource/verdict.ts'
import { judgeRequest, type NodeRequest, type NodeResponse, send } from './exchange.ts'

/** What is read of a request: those of Express and Connect fit. The verdict is put beside it. */
export interface ExpressRequest extends NodeRequest {
  readonly originalUrl?: string
  verdict?: Admitted
}

/**
 * Middleware for Express: lets a request through with `request.verdict`, or answers it.
 * Also answers at the well-known place with the API's metadata, where that lies below it.
 *
 * @example
 * app.use(protect(guard))
 * app.get('/orders', protect(guard, { scope: 'orders' }), listOrders)
 */
export function protect(
  guard: Guard,
  needs?: Needs,
): (request: ExpressRequest, response: NodeResponse, next: (cause?: unknown) => void) => void {
  async function serve(request: ExpressRequest, response: NodeResponse, next: (cause?: unknown) => void) {
    try {
      const { method, originalUrl, url = originalUrl, headersDistinct, socket } = request
      const judged = await judgeRequest(guard, { method, url: originalUrl ?? url, headersDistinct, socket }, needs)
      if ('answer' in judged) return send(response, judged.answer)
      request.verdict = judged.verdict
      next()
    } catch (cause) {
      next(cause)
    }
  }
  return (request, response, next) => void serve(request, response, next)
}
