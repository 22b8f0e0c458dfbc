import { borrowedChain } from './certificate/borrowed-chain.ts'
import { forgedHeader } from './certificate/forged-header.ts'
import { noCertificate } from './certificate/no-certificate.ts'
import { resumedSession } from './certificate/resumed-session.ts'
import { sameName } from './certificate/same-name.ts'
import type { Theft } from './theft.ts'

/** Every way of using somebody else's certificate-bound token that we know and can try. */
export const thefts: readonly Theft[] = [noCertificate, sameName, borrowedChain, forgedHeader, resumedSession]
