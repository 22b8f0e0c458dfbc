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
    const refused = await exhaustedBy(request, { addressRequests })
    // It is answered here: nothing follows.
    if (refused) await refuse(refused, request, reply)
  })
}

/** Counts a request for its address. @returns why it is not answered, where too many were sent */
export async function exhaustedBy(
  { raw }: Pick<FastifyRequest, 'raw'>,
  { addressRequests }: Pick<Context, 'addressRequests'>,
): Promise<Refused | undefined> {
  try {
    await addressRequests?.take('', raw.socket.remoteAddress)
    return undefined
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
}
