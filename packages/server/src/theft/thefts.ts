import { asDpop } from './certificate/as-dpop.ts'
import { borrowedChain } from './certificate/borrowed-chain.ts'
import { forgedHeader } from './certificate/forged-header.ts'
import { noCertificate } from './certificate/no-certificate.ts'
import { resumedSession } from './certificate/resumed-session.ts'
import { sameName } from './certificate/same-name.ts'
import { asBearer } from './dpop/as-bearer.ts'
import { foreignKey } from './dpop/foreign-key.ts'
import { noProof } from './dpop/no-proof.ts'
import { otherAddress } from './dpop/other-address.ts'
import { otherMethod } from './dpop/other-method.ts'
import { otherToken } from './dpop/other-token.ts'
import { replayedProof } from './dpop/replayed-proof.ts'
import { staleProof } from './dpop/stale-proof.ts'
import { twoProofs } from './dpop/two-proofs.ts'
import type { Theft } from './theft.ts'

/** Every way of using somebody else's bound token that we know and can try. */
export const thefts: readonly Theft[] = [
  noCertificate,
  sameName,
  borrowedChain,
  forgedHeader,
  resumedSession,
  asDpop,
  noProof,
  asBearer,
  foreignKey,
  replayedProof,
  otherAddress,
  otherMethod,
  otherToken,
  staleProof,
  twoProofs,
]
