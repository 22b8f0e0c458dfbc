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
}
