import type { Reason, Refused } from '../oauth/refusal.ts'

/** Where whoever runs the API or the client should look first. Not for the outside: it may repeat what was seen. */
export function findHint(refused: Refused): string | undefined {
  const { reason } = refused
  if (reason === 'dpop_url_differs') return hintAtUrl(refused)
  if (reason === 'dpop_stale' || reason === 'dpop_early' || reason === 'dpop_skewed') return hintAtClock(refused)
  return hints[reason]
}

const hints: Readonly<Partial<Record<Reason, string>>> = {
  token_audience: 'The client asked for another API: it must send resource with this identifier at the token endpoint.',
  token_type_wrong: 'Probably an ID token, or a JWT access token that does not follow RFC 9068.',
  keys_unavailable:
    'Can this process reach the issuer, and does it trust the CA of its certificate (NODE_EXTRA_CA_CERTS)?',
  introspection_unavailable: 'Can this process reach the issuer, and are client_id and client_secret right?',
  binding_missing:
    'The client got its token without a key: it must ask with a DPoP proof, or at the mTLS alias of the token endpoint with a certificate.',
  confirmation_method_not_taken:
    "Name the method in the guard's methods ('mutual-tls', 'dpop'), or have the client bind its token by one that is named.",
  confirmation_certificate_missing:
    'Does this listener ask for client certificates (clientCertificateTlsOptions), and does TLS end here and not at a proxy?',
  confirmation_certificate_differs:
    'The token was issued for another certificate. A renewed certificate needs a new token, even with the same key.',
  session_resumed: 'Switch session resumption off on this listener (clientCertificateTlsOptions does).',
  token_is_dpop:
    'The token is bound to a DPoP key: the client must send "Authorization: DPoP" and a proof for each request.',
  token_is_not_dpop: 'The client got its token without a proof: token_type at the token endpoint was not DPoP.',
  dpop_missing: 'Did the client send the DPoP header, and does every proxy on the way let it through?',
  dpop_repeated: 'Does a proxy on the way, or a client library on top of another, add a second proof?',
  dpop_algorithm: 'Name the algorithm in dpop.algorithms of the guard, or have the client take another kind of key.',
  dpop_method_differs: 'HEAD, OPTIONS and a method that a proxy rewrites need a proof of their own.',
  dpop_nonce_unknown:
    'Each API has its own nonces, for five minutes. Where several processes serve one API they share nonceKey.',
  dpop_token_differs:
    'ath is missing, or that of another token: a proof is made for the very token that goes with it, also after a refresh.',
  confirmation_proof_differs:
    'The client got the token by one key and signs proofs by another. After losing a key it needs a new token.',
  dpop_replayed: 'Each request needs a proof of its own, a retry too. Does a proxy on the way repeat requests?',
  replay_unavailable: 'Can this process reach what remembers proofs (dpop.replay), and has it room?',
}

/** What differs says whose mistake it is. */
function hintAtUrl({ expected = '', seen = '' }: Refused): string {
  if (!URL.canParse(expected) || !URL.canParse(seen)) return 'htu is no http or https address.'
  const [ours, theirs] = [new URL(expected), new URL(seen)]
  if (ours.pathname !== theirs.pathname) {
    return 'The path differs: a proof is for one address, and a proxy that rewrites paths makes every proof wrong.'
  }
  return `Clients reach this API at ${theirs.origin}, and it believes to be at ${ours.origin}: behind a proxy, set origin to the outer address.`
}

/** `expected` is the window, `seen` the time of the proof. */
function hintAtClock({ expected = '', seen = '' }: Refused): string {
  const [, from, to] = /^(\d+) to (\d+)$/.exec(expected) ?? []
  const made = Number(seen)
  if (from === undefined || to === undefined) return 'exp or nbf of the proof say that it does not count now.'
  if (made < Number(from)) {
    const late = Number(from) - made
    return `The proof is ${late} s too old: it was kept, or the client's clock is behind. With dpop.nonces 'on-skew' such clients get on.`
  }
  return `The proof is ${made - Number(to)} s too early: the client's clock is ahead, or this one behind.`
}
