/** The longest stream that is read into memory before it is sent, in bytes. */
const limit = 1024 * 1024

/**
 * Reads the stream of a request into memory, so that it can be sent again. One that is longer than 1 MiB stays a stream,
 * from its beginning.
 * @throws TypeError when the stream gives something else than bytes
 */
export async function withRepeatableBody(input: string | URL | Request, init: RequestInit): Promise<RequestInit> {
  const body = init.body ?? (input instanceof Request ? input.body : undefined)
  if (!(body instanceof ReadableStream)) return init
  const reader: ReadableStreamDefaultReader<unknown> = body.getReader()
  const chunks: Uint8Array<ArrayBuffer>[] = []
  for (let size = 0; size <= limit; ) {
    const { done, value } = await reader.read()
    if (done) return { ...init, body: new Blob(chunks) }
    if (!isBytes(value)) throw new TypeError('The stream of a body must give bytes.')
    chunks.push(value)
    size += value.length
  }
  const streaming: object = { ...init, body: resume(chunks, reader), duplex: 'half' }
  return streaming
}

/** Text, bytes and forms can be sent again; streams, and the body of a `Request`, are gone when they were read. */
export function isRepeatable(input: string | URL | Request, { body }: RequestInit): boolean {
  if (body === undefined || body === null) return !(input instanceof Request) || isBodiless(input)
  if (typeof body === 'string' || body instanceof URLSearchParams || body instanceof Blob) return true
  return body instanceof FormData || body instanceof ArrayBuffer || ArrayBuffer.isView(body)
}

/** Not every browser shows the body of a `Request`. */
function isBodiless({ method, body }: Request): boolean {
  return body === null || method === 'GET' || method === 'HEAD'
}

function resume(chunks: Uint8Array[], reader: ReadableStreamDefaultReader<unknown>): ReadableStream {
  return new ReadableStream({
    pull: async (controller) => {
      const chunk = chunks.shift()
      if (chunk) return controller.enqueue(chunk)
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

function isBytes(value: unknown): value is Uint8Array<ArrayBuffer> {
  return value instanceof Uint8Array
}
