import { describe, expect, it } from 'vitest'
import { clientSchema } from '../model/client.ts'
import { createPairwise, subjectFor } from './subject.ts'

const pairwise = createPairwise(new Uint8Array(32).fill(7))
const client = (id: string, ...redirect_uris: string[]) =>
  clientSchema.parse({
    client_id: id,
    client_secret: 'secret',
    subject_type: 'pairwise',
    grant_types: ['authorization_code'],
    redirect_uris,
  })
const seenBy = (id: string, ...redirectUris: string[]) =>
  subjectFor(client(id, ...redirectUris), 'user:alice', { pairwise })

describe('OpenID Connect Core §8 subjects', () => {
  it('are public unless the client is registered otherwise', () => {
    const open = { ...client('a', 'https://a.test/cb'), subject_type: 'public' as const }
    expect(subjectFor(open, 'user:alice', { pairwise })).toBe('user:alice')
  })

  it('[OIDC.Core-8.1] are the same for all clients of a host, and others elsewhere', () => {
    expect(seenBy('a', 'https://a.test/cb')).toBe(seenBy('b', 'https://a.test/other'))
    expect(seenBy('a', 'https://a.test/cb')).not.toBe(seenBy('a', 'https://b.test/cb'))
  })

  it('[OIDC.Core-8.1] are its own for a client of several hosts', () => {
    const uris = ['https://a.test/cb', 'https://b.test/cb']
    expect(seenBy('a', ...uris)).not.toBe(seenBy('b', ...uris))
  })

  it('are its own for a client that registered itself, whatever host it claims', () => {
    const itself = { ...client('b', 'https://a.test/cb'), registration_access_token_hash: 'A'.repeat(43) }
    const claimed = subjectFor(itself, 'user:alice', { pairwise })
    expect(claimed).not.toBe(seenBy('a', 'https://a.test/cb'))
    expect(claimed).not.toBe('user:alice')
  })

  it('differ between people and between servers', () => {
    const other = createPairwise(new Uint8Array(32).fill(8))
    const subjects = [pairwise('sector', 'user:alice'), pairwise('sector', 'user:bob'), other('sector', 'user:alice')]
    expect(new Set(subjects).size).toBe(3)
  })
})
