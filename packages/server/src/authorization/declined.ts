import { type Reason, Refused } from '@holdfast/pop'
import type { AuthorizationRequest } from '../model/authorization.ts'

/** Where the answer to an authorization request goes, and how. RFC 6749 §4.1.2, OAuth 2.0 Form Post Response Mode. */
export type ResponseTarget = Pick<AuthorizationRequest, 'redirectUri' | 'responseMode' | 'state'>

/** Declined, and the client is told so: that the address is the client's is certain. RFC 6749 §4.1.2.1. */
export class Declined extends Refused {
  readonly target: ResponseTarget

  constructor(reason: Reason, target: ResponseTarget, cause?: unknown) {
    super(reason, { cause })
    this.name = 'Declined'
    this.target = target
  }
}

/** Whatever this work refuses, the client is told. @throws {@link Declined} */
export async function tellingClient<Result>(
  target: ResponseTarget,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  try {
    return await work()
  } catch (thrown) {
    throw thrown instanceof Refused ? new Declined(thrown.reason, target, thrown.cause) : thrown
  }
}
