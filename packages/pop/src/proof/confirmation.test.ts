import { describe, expect, it } from 'vitest'
import type { Reason } from '../oauth/refusal.ts'
import {
  type Confirmation,
  confirmationOf,
  parseConfirmation,
  requireConfirmed,
  requireScheme,
} from './confirmation.ts'
import { type CertificatePossession, type DpopPossession, type Possession, vouch } from './possession.ts'

const jkt = 'J'.repeat(42).concat('A')
const x5t = 'X'.repeat(42).concat('A')
const other = 'O'.repeat(42).concat('A')

const proof = (thumbprint = jkt) => vouch<DpopPossession>({ member: 'jkt', thumbprint })
const certificate = (thumbprint = x5t) =>
  vouch<CertificatePossession>({ member: 'x5t#S256', thumbprint, publicKeyThumbprint: other })

describe('RFC 7800 §3.1 what a token says about its key', () => {
  it('[RFC9449-6.1-1] is one member, of the key that was shown', () => {
    expect(confirmationOf(proof())).toEqual({ jkt })
    expect(confirmationOf(certificate())).toEqual({ 'x5t#S256': x5t })
  })

  it('is read with both members, and without those that we do not know', () => {
    expect(parseConfirmation({ jkt, 'x5t#S256': x5t, kid: 'k' })).toEqual({ jkt, 'x5t#S256': x5t })
  })

  it.each([
    ['of another kind', 'text', 'confirmation_malformed'],
    ['with a padded thumbprint', { jkt: `${jkt}=` }, 'confirmation_malformed'],
    ['with a thumbprint that has bits left over', { jkt: 'J'.repeat(43) }, 'confirmation_malformed'],
    ['with a thumbprint that is a list', { jkt: [jkt] }, 'confirmation_malformed'],
    ['with one member wrong', { jkt, 'x5t#S256': 7 }, 'confirmation_malformed'],
    ['that is empty', {}, 'confirmation_unknown'],
    ['that only has members of others', { kid: 'k', toString: jkt }, 'confirmation_unknown'],
  ])('is refused %s', (_, cnf, reason) => {
    expect(() => parseConfirmation(cnf)).toThrow(expect.objectContaining({ reason }))
  })
})

describe('[incident 16] what a token asks for, and what a request shows', () => {
  const both: Confirmation = { jkt, 'x5t#S256': x5t }
  const rows: readonly [string, Confirmation, readonly Possession[], Reason | undefined][] = [
    ['a proof with nothing', { jkt }, [], 'confirmation_proof_missing'],
    ['a proof with a certificate', { jkt }, [certificate()], 'confirmation_proof_missing'],
    ['a proof with one of another key', { jkt }, [proof(other)], 'confirmation_proof_differs'],
    ['a proof with it', { jkt }, [proof()], undefined],
    ['a proof with both', { jkt }, [certificate(), proof()], undefined],
    ['a certificate with nothing', { 'x5t#S256': x5t }, [], 'confirmation_certificate_missing'],
    ['a certificate with a proof', { 'x5t#S256': x5t }, [proof()], 'confirmation_certificate_missing'],
    ['a certificate with another', { 'x5t#S256': x5t }, [certificate(other)], 'confirmation_certificate_differs'],
    ['a certificate with it', { 'x5t#S256': x5t }, [certificate()], undefined],
    ['a certificate with both', { 'x5t#S256': x5t }, [proof(), certificate()], undefined],
    ['a proof with a certificate of its thumbprint', { jkt }, [certificate(jkt)], 'confirmation_proof_missing'],
    ['both with a proof', both, [proof()], 'confirmation_certificate_missing'],
    ['both with a certificate', both, [certificate()], 'confirmation_proof_missing'],
    ['both with both', both, [proof(), certificate()], undefined],
    ['nothing that is known', {}, [proof(), certificate()], 'confirmation_unknown'],
  ]

  it.each(rows)('[RFC9449-6-2, RFC9449-4.3-12] %s', (_, confirmation, shown, reason) => {
    const judged = () => requireConfirmed(confirmation, shown)
    if (reason === undefined) expect(judged).not.toThrow()
    else expect(judged).toThrow(expect.objectContaining({ reason }))
  })
})

describe('RFC 9449 §7.1, §7.2 how a token is sent', () => {
  it.each([
    ['DPoP', { jkt }, undefined],
    ['Bearer', { jkt }, 'token_is_dpop'],
    ['Bearer', { 'x5t#S256': x5t }, undefined],
    ['DPoP', { 'x5t#S256': x5t }, 'token_is_not_dpop'],
    ['Bearer', undefined, undefined],
    ['DPoP', undefined, 'token_is_not_dpop'],
    ['DPoP', { jkt, 'x5t#S256': x5t }, undefined],
    ['Bearer', { jkt, 'x5t#S256': x5t }, 'token_is_dpop'],
  ] as const)('[RFC9449-7.2-1] [incident 20] as %s with %o', (scheme, confirmation, reason) => {
    const judged = () => requireScheme(scheme, confirmation)
    if (reason === undefined) expect(judged).not.toThrow()
    else expect(judged).toThrow(expect.objectContaining({ reason }))
  })
})
