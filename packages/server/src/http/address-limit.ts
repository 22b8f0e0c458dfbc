import { Refused } from '@holdfast/pop'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context } from '../context.ts'

/** Counts each request for its address before anything else costs, where the settings limit them. */
export function limitAddresses(
  app: FastifyInstance,
  { addressRequests }: Pick<Context, 'addressRequests'>,
  refuse: (refused: Refused, request: FastifyRequest, reply: FastifyReply) => unknown,
): void {
  if (!addressRequests) return
  app.addHook('onRequest', async (request, reply) => {
    try {
      await addressRequests.take('', request.raw.socket.remoteAddress)
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      // It is answered here: nothing follows.
      await refuse(error, request, reply)
    }
  })
}
