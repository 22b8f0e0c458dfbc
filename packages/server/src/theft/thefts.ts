import { borrowedChain } from './borrowed-chain.ts'
import { forgedHeader } from './forged-header.ts'
import { noCertificate } from './no-certificate.ts'
import { resumedSession } from './resumed-session.ts'
import { sameName } from './same-name.ts'
import type { Theft } from './theft.ts'

/** Every way of using somebody else's certificate-bound token that we know and can try. */
export const thefts: readonly Theft[] = [noCertificate, sameName, borrowedChain, forgedHeader, resumedSession]
