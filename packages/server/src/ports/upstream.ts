import type { Seconds } from '@holdfast/pop'

/** What ties an answer of another provider to the browser and the flow that asked. */
export interface UpstreamAttempt {
  readonly redirectUri: string
  readonly state: string
  readonly nonce: string
  /** RFC 7636. */
  readonly verifier: string
}

/** Somebody as another provider knows them: `sub` is unique within `issuer` only. OpenID Connect Core §5.7. */
export interface UpstreamIdentity {
  readonly issuer: string
  readonly sub: string
  /** How they showed who they are, where the provider says so. RFC 8176. */
  readonly methods: readonly string[]
  /** When, where the provider says so: it must, where they had to show it anew. OpenID Connect Core §2. */
  readonly authenticated?: Seconds
}

/** Another OpenID provider at which people can sign in. */
export interface Upstream {
  readonly id: string
  /**
   * The address there to which the browser goes.
   * @param fresh they must show anew who they are
   * @throws Refused `upstream_unavailable`
   */
  begin(attempt: UpstreamAttempt, options: { readonly fresh: boolean }): Promise<string>
  /**
   * Redeems what the browser came back with, and verifies the ID token.
   * @throws Refused `upstream_refused`, `upstream_unavailable`
   */
  finish(answer: URL, attempt: UpstreamAttempt): Promise<UpstreamIdentity>
  close(): Promise<void>
}
