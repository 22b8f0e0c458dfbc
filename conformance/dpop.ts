import { createHash } from 'node:crypto'
import { type ProofOverrides, signProof, type TestProofKey } from '@holdfast/pop/testing'
import type { Harness, Sent } from './harness.ts'

/** The request that a proof is made for. */
export interface ProofFor {
  readonly path?: string
  readonly on?: 'public' | 'mutualTls'
  readonly method?: string
  readonly accessToken?: string
  readonly nonce?: string
}

/** Signs a proof for a request to a server, POST to the token endpoint unless said otherwise. Stops the server's clock. */
export function proofFor(
  server: Harness,
  key: TestProofKey,
  { path = '/token', on = 'public', method = 'POST', ...rest }: ProofFor = {},
  overrides: ProofOverrides = {},
): string {
  const url = `${originOf(server, on)}${path}`
  return signProof(key, { method, url, now: server.freeze(), ...rest }, overrides)
}

/** How clients write a listener. */
export function originOf({ publicPort, mutualTlsPort }: Harness, on: 'public' | 'mutualTls' = 'public'): string {
  return `https://localhost:${on === 'public' ? publicPort : mutualTlsPort}`
}

/** A request with a proof. */
export function withProof(
  proof: string | readonly string[],
  sent: Partial<Sent> = {},
): Partial<Sent> & Pick<Sent, 'headers'> {
  return { ...sent, headers: { ...sent.headers, dpop: proof } }
}

/** A request to UserInfo with a bound token, and with its proof unless there shall be another or none. */
export function userinfoWith(
  server: Harness,
  accessToken: string,
  proof: string | readonly string[] | undefined,
  { scheme = 'DPoP', ...sent }: Partial<Sent> & { readonly scheme?: string } = {},
) {
  return server.send({
    on: sent.certificate ? 'mutualTls' : 'public',
    method: 'GET',
    path: '/userinfo',
    ...sent,
    headers: {
      authorization: `${scheme} ${accessToken}`,
      ...(proof !== undefined && { dpop: proof }),
      ...sent.headers,
    },
  })
}

/** How many answers have which status. */
export function statuses(answers: readonly { readonly status: number }[]): Readonly<Record<number, number>> {
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

/** The base64url of a SHA-256. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
