import type { Guard, Needs } from '../../resource/guard.ts'
import { type Admitted, renderVerdict } from '../../resource/verdict.ts'
import { type Answer, judgeRequest, metadataAnswer, type NodeRequest } from './exchange.ts'

/** What is read of a request of Fastify. The verdict is put beside it. */
export interface FastifyRequest {
  readonly raw: NodeRequest
  verdict?: Admitted
}

/** What is done with a reply of Fastify. */
export interface FastifyReply {
  code(status: number): unknown
  headers(headers: Record<string, string | string[]>): unknown
  send(body: string): unknown
}

/**
 * A hook for Fastify: lets a request through with `request.verdict` (see `verdictOf`), or answers it.
 * Also answers at the well-known place with the API's metadata.
 *
 * @example
 * app.addHook('onRequest', protect(guard))
 * app.get('/orders', { onRequest: protect(guard, { scope: 'orders' }) }, async (request) => verdictOf(request).token.claims)
 */
export function protect(
  guard: Guard,
  needs?: Needs,
): (request: FastifyRequest, reply: FastifyReply) => Promise<unknown> {
  return async (request, reply) => {
    const metadata = metadataAnswer(guard, request.raw)
    if (metadata) return answer(reply, metadata)
    const verdict = await judgeRequest(guard, request.raw, needs)
    if (!verdict.admitted) return answer(reply, renderVerdict(verdict))
    request.verdict = verdict
    if (verdict.headers) reply.headers({ ...verdict.headers })
    return undefined
  }
}

function answer(reply: FastifyReply, { status, headers, body }: Answer): unknown {
  reply.code(status)
  reply.headers(headers)
  return reply.send(body)
}
