import { judge } from '../judge.ts'
import { fetchOnce, HandshakeRefused, type Reply } from '../request.ts'
import type { Attempt, Loot, Theft } from '../theft.ts'

/**
 * A TLS session that the owner opened, resumed by somebody without the key: the server still sees the owner's
 * certificate, though nobody has proven its key. RFC 8705 §7.1 leaves it to servers not to resume.
 */
export const resumedSession: Theft = {
  name: 'resumed session',
  against: 'certificate',
  says: "the owner's TLS session, no key",
  async attempt(loot) {
    return [await resume(loot, 'TLSv1.3'), await resume(loot, 'TLSv1.2')]
  },
}

async function resume({ token, url, ca, certificate, key }: Loot, version: 'TLSv1.3' | 'TLSv1.2'): Promise<Attempt> {
  const owner = key === undefined ? {} : { certificate, key }
  const headers = { authorization: `Bearer ${token}` }
  const first = await opened(fetchOnce(url, headers, { ca, version, ...owner }))
  if (!first?.session) return { outcome: 'refused', variant: version, answer: 'the server hands out no session' }
  const second = await opened(fetchOnce(url, headers, { ca, version, session: first.session }))
  if (!second) return { outcome: 'refused', variant: version, answer: 'TLS handshake refused' }
  const judged = { ...judge(second), variant: version }
  if (judged.outcome !== 'refused') return judged
  if (!second.resumed) return { ...judged, answer: 'the server resumes no session' }
  return key === undefined ? { ...judged, outcome: 'unclear', answer: untried } : judged
}

const untried = "the server resumes sessions: give the owner's --cert and --key to try one of theirs"

async function opened(reply: Promise<Reply>): Promise<Reply | undefined> {
  try {
    return await reply
  } catch (error) {
    if (error instanceof HandshakeRefused) return undefined
    throw error
  }
}
