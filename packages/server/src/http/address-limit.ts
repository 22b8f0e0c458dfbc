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
  // Whoever is refused is answered here: without `done` nothing follows.
  app.addHook('onRequest', (request, reply, done) => {
    try {
      void addressRequests.take('', request.raw.socket.remoteAddress)
      done()
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      refuse(error, request, reply)
    }
  })
}
