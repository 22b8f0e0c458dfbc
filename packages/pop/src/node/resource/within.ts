import { setTimeout as pause } from 'node:timers/promises'

/** Waits for the answer of a replay memory, so long and no longer. @throws Error when it is late */
export async function within<Value>(milliseconds: number, answer: Promise<Value>): Promise<Value> {
  const ended = new AbortController()
  const end = async (): Promise<never> => {
    await pause(milliseconds, undefined, { signal: ended.signal, ref: false })
    throw new Error(`The replay memory has not answered within ${milliseconds} ms.`)
  }
  try {
    return await Promise.race([answer, end()])
  } finally {
    ended.abort()
  }
}
