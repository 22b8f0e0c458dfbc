import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CertificatePair, createCertificateAuthority, issueCertificate } from '@holdfast/pop/certificates'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { baseClients, claimsOf, declined, type Harness, startServer } from './harness.ts'
import { requirePrograms } from './requires.ts'

requirePrograms('openssl')('[RFC8705-2.1-4] revocation lists', () => {
  let directory: string
  let root: CertificatePair
  let intermediate: CertificatePair
  let server: Harness

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-lists-'))
    root = await createCertificateAuthority({ name: 'Root' })
    intermediate = await createCertificateAuthority({ name: 'Intermediate', issuer: root })
    const crl = join(directory, 'lists.pem')
    writeFileSync(crl, revocationList(root, []))
    const byPath = { token_endpoint_auth_method: 'tls_client_auth', scope: 'api1' } as const
    server = await startServer((settings) => ({
      ...settings,
      mutualTls: {
        ...settings.mutualTls,
        trustGroups: { listed: { ca: root.certificate, crl }, unlisted: { ca: root.certificate } },
      },
      clients: [
        ...baseClients,
        { client_id: 'listed', tls_client_auth_subject_dn: 'CN=mtls', trust_group: 'listed', ...byPath },
        { client_id: 'unlisted', tls_client_auth_subject_dn: 'CN=mtls', trust_group: 'unlisted', ...byPath },
      ],
    }))
  })
  afterAll(async () => {
    await server.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const leaf = (issuer = root) =>
    issueCertificate({ subject: 'mtls', issuer, keyType: 'P-256', extendedKeyUsage: ['clientAuth'] })
  const ask = (client_id: string, certificate: Pick<CertificatePair, 'certificate' | 'key'>) =>
    server.token({ client_id, client_secret: undefined }, { certificate })
  let edition = 0
  const publish = (...lists: readonly string[]) => {
    const file = join(directory, 'lists.pem')
    writeFileSync(file, lists.join(''))
    utimesSync(file, ++edition, edition)
    server.advance(1)
  }

  it('are read again when the file changes, also on a trust group that was judged before', async () => {
    const [one, two] = [await leaf(), await leaf()]
    publish(revocationList(root, []))
    for (const each of [one, two]) expect((await ask('listed', each)).status).toBe(200)
    publish(revocationList(root, [one]))
    expect(await declined(server, ask('listed', one))).toMatchObject({
      status: 401,
      error: 'invalid_client',
      reason: 'client_certificate_revoked',
    })
    expect((await ask('listed', two)).status).toBe(200)
    publish(revocationList(root, []))
    expect((await ask('listed', one)).status).toBe(200)
  })

  it('are heeded on a connection that is open already', async () => {
    const one = await leaf()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const again = () =>
      server.token({ client_id: 'listed', client_secret: undefined }, { certificate: one, tls: { agent } })
    publish(revocationList(root, []))
    expect((await again()).status).toBe(200)
    publish(revocationList(root, [one]))
    expect((await declined(server, again())).reason).toBe('client_certificate_revoked')
    agent.destroy()
  })

  it('are not asked for where the trust group names none', async () => {
    const one = await leaf()
    publish(revocationList(root, [one]))
    expect((await ask('unlisted', one)).status).toBe(200)
  })

  it('do not revoke for binding', async () => {
    const one = await leaf()
    publish(revocationList(root, [one]))
    const { json } = await server.token({}, { certificate: one })
    expect(claimsOf(json.access_token).cnf).toEqual({ 'x5t#S256': one.thumbprint })
  })

  it('are needed of every issuer on the path, and revoke an intermediate too', async () => {
    const below = await leaf(intermediate)
    const chain = { key: below.key, certificate: below.certificate + intermediate.certificate }
    publish(revocationList(root, []))
    expect((await declined(server, ask('listed', chain))).reason).toBe('client_certificate_revoked')
    publish(revocationList(root, []), revocationList(intermediate, []))
    expect((await ask('listed', chain)).status).toBe(200)
    publish(revocationList(root, [intermediate]), revocationList(intermediate, []))
    expect((await declined(server, ask('listed', chain))).reason).toBe('client_certificate_revoked')
  })

  it.each([
    ['empty', () => ''],
    ['no list', () => 'nothing'],
    [
      'of somebody else of the same name',
      async () => revocationList(await createCertificateAuthority({ name: 'Root' }), []),
    ],
  ])('that are %s refuse everybody', async (_, make) => {
    const one = await leaf()
    publish(await make())
    expect((await declined(server, ask('listed', one))).reason).toBe('client_certificate_revoked')
    publish(revocationList(root, []))
    expect((await ask('listed', one)).status).toBe(200)
  })

  it('that have gone refuse everybody', async () => {
    const one = await leaf()
    rmSync(join(directory, 'lists.pem'))
    server.advance(1)
    expect((await declined(server, ask('listed', one))).reason).toBe('client_certificate_revoked')
    publish(revocationList(root, []))
    expect((await ask('listed', one)).status).toBe(200)
  })
})

/** A revocation list of an authority, as `openssl ca` makes it. */
function revocationList(authority: CertificatePair, revoked: readonly CertificatePair[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-ca-'))
  const lines = revoked.map(({ certificate }) => {
    const serial = new X509Certificate(certificate).serialNumber
    return `R\t400101000000Z\t250101000000Z\t${serial}\tunknown\t/CN=mtls\n`
  })
  const files = {
    index: lines.join(''),
    crlnumber: '01\n',
    certificate: authority.certificate,
    key: authority.key,
    config: `[ca]\ndefault_ca=it\n[it]\ndatabase=${folder}/index\ncrlnumber=${folder}/crlnumber\ndefault_md=sha256\ndefault_crl_days=30\ncrl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid\n`,
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const [config, certificate, key] = ['config', 'certificate', 'key'].map((name) => join(folder, name))
  const options = ['-config', String(config), '-cert', String(certificate), '-keyfile', String(key)]
  const list = execFileSync('openssl', ['ca', '-gencrl', ...options], { stdio: 'pipe' }).toString()
  rmSync(folder, { recursive: true })
  return list
}
