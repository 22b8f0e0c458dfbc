import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import type { Seconds } from '@holdfast/pop'
import { createCertificateAuthority, createClientCertificate, issueCertificate } from '@holdfast/pop/certificates'
import { type KeptPair, keepPair, readIfThere, writePrivately } from './pair.ts'

/** Everything with a key that development needs. All of it lies in files and is kept from start to start. */
export interface Credentials {
  /** Signs the servers' certificates. */
  readonly ca: KeptPair
  readonly server: KeptPair
  /** Signs the certificate of the client `mtls`, and nothing else. */
  readonly clientCa: KeptPair
  readonly mtls: KeptPair
  readonly pinned: KeptPair
  /** What the sample web page shows to the issuer and to the API. */
  readonly web: KeptPair
  /** The private key of the client `assertion`, as PEM. */
  readonly assertion: string
}

/** Reads the credentials of a folder, making those that are missing and renewing those that end. */
export async function keepCredentials(directory: string, now: Seconds): Promise<Credentials> {
  const tls = join(directory, 'tls')
  const making = { now: () => now }
  const ca = await keepPair(join(tls, 'ca'), {
    now,
    make: () => createCertificateAuthority({ name: 'Holdfast development CA', pathLength: 0 }, making),
  })
  const clientCa = await keepPair(join(tls, 'client-ca'), {
    now,
    make: () => createCertificateAuthority({ name: 'Holdfast development client CA', pathLength: 0 }, making),
  })
  const server = await keepPair(join(tls, 'server'), {
    now,
    issuer: ca,
    make: () =>
      issueCertificate(
        {
          subject: 'localhost',
          issuer: ca,
          keyType: 'P-256',
          days: 365,
          dns: ['localhost'],
          ips: ['127.0.0.1', '::1'],
          keyUsage: ['digitalSignature'],
          extendedKeyUsage: ['serverAuth'],
        },
        making,
      ),
  })
  const mtls = await keepPair(join(tls, 'mtls'), {
    now,
    issuer: clientCa,
    make: () =>
      issueCertificate(
        {
          subject: 'mtls',
          issuer: clientCa,
          keyType: 'P-256',
          days: 365,
          keyUsage: ['digitalSignature'],
          extendedKeyUsage: ['clientAuth'],
        },
        making,
      ),
  })
  const pinned = await keepPair(join(tls, 'pinned'), {
    now,
    make: () => createClientCertificate({ name: 'pinned', keyType: 'P-256', days: 365 }, making),
  })
  const web = await keepPair(join(tls, 'web'), {
    now,
    make: () => createClientCertificate({ name: 'web', keyType: 'P-256', days: 365 }, making),
  })
  return { ca, clientCa, server, mtls, pinned, web, assertion: await keepKey(join(directory, 'assertion.key')) }
}

/** The public half of a PEM private key or certificate, as JWK. */
export function publicJwkOf(pem: string): { readonly [member: string]: unknown; readonly kty: string } {
  const key = pem.includes('CERTIFICATE') ? createPublicKey(pem) : createPublicKey(createPrivateKey(pem))
  const { kty = '', ...members } = key.export({ format: 'jwk' })
  return { kty, ...members }
}

async function keepKey(file: string): Promise<string> {
  const kept = await readIfThere(file)
  if (kept?.includes('PRIVATE KEY')) return kept
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  await writePrivately(file, pem)
  return pem
}
