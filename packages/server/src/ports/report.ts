/** What is told to the operator: plain data, never a token, secret, key or proof. */
export interface Report {
  readonly level: 'info' | 'warn' | 'error'
  /** What happened, as a stable word. */
  readonly event: string
  readonly client?: string
  readonly reason?: string
  readonly rule?: string
  readonly seen?: string
  readonly cause?: unknown
  /** Where it came from, of what is told beside a request. */
  readonly address?: string
  /** The request that it is about, once it is answered: with `answered` and with `refused`. */
  readonly request?: AnsweredRequest
}

/** A request that was answered, and what was decided. Nothing in it but the address is of the caller's choosing. */
export interface AnsweredRequest {
  /** `other` where we do not know it. */
  readonly method: string
  /** One of our addresses, or `other`. */
  readonly path: string
  readonly status: number
  /** From its headers to our answer, in milliseconds. */
  readonly ms: number
  readonly address?: string
  readonly grant?: string
  readonly binding?: 'none' | 'certificate' | 'dpop'
  readonly format?: 'jwt' | 'reference'
  /** Of a token that was asked about. */
  readonly active?: boolean
  /** Where spans are made. */
  readonly trace_id?: string
  readonly span_id?: string
}
