import { generateKeyPairSync } from 'node:crypto'
import type { Reason } from '@holdfast/pop'
import {
  type CertificateOptions,
  type CertificatePair,
  createCertificateAuthority,
  issueCertificate,
  issueRevocationList,
} from '@holdfast/pop/certificates'

/** The moment at which every chain is judged. */
export const now = Date.UTC(2026, 5, 1) / 1000

/** What a client sends, and who is trusted. */
export interface Evidence {
  /** PEM, leaf first. */
  readonly chain: readonly string[]
  /** PEM. */
  readonly anchors: readonly string[]
  /** PEM; undefined where revocation is not asked about. */
  readonly crls?: readonly string[]
}

/** One chain of the corpus, and what is to be said of it. */
export interface Chain {
  readonly title: string
  readonly ours: Reason | 'accepted'
  /** Why `openssl verify -purpose sslclient -x509_strict` says otherwise. */
  readonly differs?: string
  readonly evidence: () => Promise<Evidence>
}

type Options = Partial<CertificateOptions>

const day = 86_400
const context = { now: () => now }

const ca = (name: string, options: Options = {}): Promise<CertificatePair> =>
  createCertificateAuthority({ name, keyType: 'P-256', ...options }, context)

const client = (issuer: CertificatePair | undefined, options: Options = {}): Promise<CertificatePair> =>
  issueCertificate(
    {
      subject: 'client',
      keyType: 'P-256',
      keyUsage: ['digitalSignature'],
      extendedKeyUsage: ['clientAuth'],
      ...(issuer && { issuer }),
      ...options,
    },
    context,
  )

/** Root, middle and leaf, each with what is wanted of it. */
async function family(options: { root?: Options; middle?: Options; leaf?: Options } = {}) {
  const root = await ca('Root', options.root)
  const middle = await ca('Middle', { issuer: root, ...options.middle })
  const leaf = await client(middle, options.leaf)
  return { root, middle, leaf }
}

const sent = (chain: readonly CertificatePair[], anchors: readonly CertificatePair[]): Evidence => ({
  chain: chain.map(({ certificate }) => certificate),
  anchors: anchors.map(({ certificate }) => certificate),
})

/** The valid chain with one thing changed. */
const changed = (options: Parameters<typeof family>[0]) => async (): Promise<Evidence> => {
  const { root, middle, leaf } = await family(options)
  return sent([leaf, middle], [root])
}

const path = 'client_certificate_path'
const purpose = 'client_certificate_purpose'
const dates = 'client_certificate_dates'
const weak = 'client_certificate_key'
const revoked = 'client_certificate_revoked'

const bytes = (hex: string) => Buffer.from(hex, 'hex')
const unknown = (critical: boolean) => ({ oid: '1.3.6.1.4.1.55555.1', critical, value: bytes('0500') })
const constraints = (value: string, critical = true) => ({ oid: '2.5.29.30', critical, value: bytes(value) })
/** permittedSubtrees: a DNS name. */
const onlyDns = (name: string) => {
  const text = Buffer.from(name).toString('hex')
  const length = (count: number) => count.toString(16).padStart(2, '0')
  const size = name.length
  return `30${length(size + 6)}a0${length(size + 4)}30${length(size + 2)}82${length(size)}${text}`
}

const pem = (type: 'rsa' | 'ec' | 'ed448', options: object): string =>
  generateKeyPairSync(type as 'rsa', options as { modulusLength: number })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()

/** A certificate whose last byte, the end of its signature, is another. */
function corrupted({ certificate }: CertificatePair): string {
  const body = certificate.split('\n').slice(1, -2).join('')
  const der = Buffer.from(body, 'base64')
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

const shapes: readonly Chain[] = [
  ...(['RSA', 'P-256', 'P-384', 'P-521', 'Ed25519'] as const).flatMap((keyType): Chain[] => [
    {
      title: `a chain of ${keyType} keys`,
      ours: 'accepted',
      evidence: changed({ root: { keyType }, middle: { keyType }, leaf: { keyType } }),
    },
    { title: `a ${keyType} leaf below P-256`, ours: 'accepted', evidence: changed({ leaf: { keyType } }) },
  ]),
  {
    title: 'an RSA signature with SHA-512',
    ours: 'accepted',
    evidence: changed({ middle: { keyType: 'RSA' }, leaf: { digest: 'sha512' } }),
  },
  {
    title: 'a P-384 signature with SHA-384',
    ours: 'accepted',
    evidence: changed({ middle: { keyType: 'P-384' }, leaf: { digest: 'sha384' } }),
  },
  {
    title: 'a leaf right below the anchor',
    ours: 'accepted',
    evidence: async () => {
      const root = await ca('Root')
      return sent([await client(root)], [root])
    },
  },
  {
    title: 'four certificates',
    ours: 'accepted',
    evidence: async () => {
      const { root, middle } = await family()
      const low = await ca('Low', { issuer: middle })
      return sent([await client(low), low, middle], [root])
    },
  },
  {
    title: 'five certificates',
    ours: path,
    differs: 'four are the longest path that we take',
    evidence: async () => {
      const { root, middle } = await family()
      const low = await ca('Low', { issuer: middle })
      const lowest = await ca('Lowest', { issuer: low })
      return sent([await client(lowest), lowest, low, middle], [root])
    },
  },
  {
    title: 'an anchor that is no root',
    ours: 'accepted',
    evidence: async () => {
      const { middle, leaf } = await family()
      return sent([leaf], [middle])
    },
  },
  {
    title: 'the root sent along',
    ours: 'accepted',
    evidence: async () => {
      const { root, middle, leaf } = await family()
      return sent([leaf, middle, root], [root])
    },
  },
  {
    title: 'certificates sent in another order, others between',
    ours: 'accepted',
    evidence: async () => {
      const { root, middle } = await family()
      const low = await ca('Low', { issuer: middle })
      const [leaf, stranger] = await Promise.all([client(low), ca('Stranger')])
      return sent([leaf, middle, stranger, low, low], [root])
    },
  },
  {
    title: 'the certificate between missing',
    ours: path,
    evidence: async () => {
      const { root, leaf } = await family()
      return sent([leaf], [root])
    },
  },
  {
    title: 'another root of the same name',
    ours: path,
    evidence: async () => {
      const { middle, leaf } = await family()
      return sent([leaf, middle], [await ca('Root')])
    },
  },
  {
    title: 'two anchors of the same name, one of them the right one',
    ours: 'accepted',
    evidence: async () => {
      const { root, middle, leaf } = await family()
      return sent([leaf, middle], [await ca('Root'), root])
    },
  },
  {
    title: 'two certificates for one CA, the first of them expired',
    ours: 'accepted',
    evidence: async () => {
      const { root, middle, leaf } = await family()
      const old = await ca('Middle', { issuer: root, key: middle.key, notBefore: now - 9 * day, notAfter: now - day })
      return sent([leaf, old, middle], [root])
    },
  },
  {
    title: 'a self-signed leaf',
    ours: path,
    evidence: async () => sent([await client(undefined)], [await ca('Root')]),
  },
  {
    title: 'a self-signed leaf that is its own anchor',
    ours: path,
    differs: 'a trust group holds CAs; a pinned certificate is self_signed_tls_client_auth',
    evidence: async () => {
      const leaf = await client(undefined)
      return sent([leaf], [leaf])
    },
  },
  {
    title: 'an evil leaf before a good chain',
    ours: path,
    evidence: async () => {
      const { root, middle, leaf } = await family()
      return sent([await client(await ca('Middle')), leaf, middle], [root])
    },
  },
]

const lastSecond = 'the last second belongs to the validity (RFC 5280 §4.1.2.5), for OpenSSL it does not'

const times: readonly Chain[] = [
  {
    title: 'a leaf in its last second',
    ours: 'accepted',
    differs: lastSecond,
    evidence: changed({ leaf: { notAfter: now } }),
  },
  { title: 'a leaf one second later', ours: dates, evidence: changed({ leaf: { notAfter: now - 1 } }) },
  { title: 'a leaf in its first second', ours: 'accepted', evidence: changed({ leaf: { notBefore: now } }) },
  {
    title: 'a leaf five minutes early',
    ours: 'accepted',
    differs: 'clocks may differ by five minutes',
    evidence: changed({ leaf: { notBefore: now + 300 } }),
  },
  {
    title: 'a leaf five minutes and a second early',
    ours: dates,
    evidence: changed({ leaf: { notBefore: now + 301 } }),
  },
  { title: 'an expired CA between', ours: dates, evidence: changed({ middle: { notAfter: now - 1 } }) },
  { title: 'a CA between that is not valid yet', ours: dates, evidence: changed({ middle: { notBefore: now + 301 } }) },
  { title: 'an expired root', ours: dates, evidence: changed({ root: { notAfter: now - 1 } }) },
  {
    title: 'dates the wrong way round',
    ours: dates,
    evidence: changed({ leaf: { notBefore: now, notAfter: now - day } }),
  },
]

const authorities: readonly Chain[] = [
  { title: 'a path length of 1 above one CA', ours: 'accepted', evidence: changed({ root: { pathLength: 1 } }) },
  { title: 'a path length of 0 above one CA', ours: path, evidence: changed({ root: { pathLength: 0 } }) },
  { title: 'a path length of 0 above the leaf', ours: 'accepted', evidence: changed({ middle: { pathLength: 0 } }) },
  {
    title: 'a path length that counts no CA of the same name',
    ours: 'accepted',
    evidence: async () => {
      const root = await ca('Root', { pathLength: 0 })
      const rolled = await ca('Root', { issuer: root })
      return sent([await client(rolled), rolled], [root])
    },
  },
  {
    title: 'a path length of 0 above two CAs, the lower of them an anchor for nobody',
    ours: path,
    evidence: async () => {
      const { root, middle } = await family({ middle: { pathLength: 0 } })
      const low = await ca('Low', { issuer: middle })
      return sent([await client(low), low, middle], [root])
    },
  },
  {
    title: 'an issuer without basic constraints',
    ours: path,
    evidence: async () => {
      const root = await ca('Root')
      const middle = await client(root, { subject: 'Middle', keyUsage: ['keyCertSign'] })
      return sent([await client(middle), middle], [root])
    },
  },
  {
    title: 'an issuer that says it is no CA',
    ours: path,
    evidence: changed({ middle: { extensions: [{ oid: '2.5.29.19', critical: true, value: bytes('3000') }] } }),
  },
  {
    title: 'a leaf as issuer',
    ours: path,
    evidence: async () => {
      const { root, middle, leaf } = await family()
      return sent([await client(leaf), leaf, middle], [root])
    },
  },
  { title: 'an issuer without keyCertSign', ours: path, evidence: changed({ middle: { keyUsage: ['cRLSign'] } }) },
  { title: 'a root without keyCertSign', ours: path, evidence: changed({ root: { keyUsage: ['cRLSign'] } }) },
  { title: 'an issuer of version 1', ours: path, evidence: changed({ middle: { version: 1 } }) },
  { title: 'a root of version 1', ours: path, evidence: changed({ root: { version: 1 } }) },
  {
    title: 'a purpose of the CA that leaves out clients',
    ours: purpose,
    evidence: changed({ middle: { extendedKeyUsage: ['serverAuth'] } }),
  },
  {
    title: 'a purpose of the CA that has clients',
    ours: 'accepted',
    evidence: changed({ middle: { extendedKeyUsage: ['serverAuth', 'clientAuth'] } }),
  },
  {
    title: 'a negative path length',
    ours: path,
    evidence: changed({
      middle: { extensions: [{ oid: '2.5.29.19', critical: true, value: bytes('30060101ff0201ff') }] },
    }),
  },
  {
    title: 'basic constraints that cannot be read',
    ours: path,
    evidence: changed({ middle: { extensions: [{ oid: '2.5.29.19', critical: true, value: bytes('3003') }] } }),
  },
  {
    title: 'name constraints that hold',
    ours: path,
    differs: 'name constraints refuse, whatever they say',
    evidence: changed({ middle: { extensions: [constraints(onlyDns('good.test'))] }, leaf: { dns: ['a.good.test'] } }),
  },
  {
    title: 'name constraints that hold, not critical',
    ours: path,
    differs: 'name constraints refuse, whatever they say',
    evidence: changed({
      middle: { extensions: [constraints(onlyDns('good.test'), false)] },
      leaf: { dns: ['a.good.test'] },
    }),
  },
  {
    title: 'name constraints that do not hold',
    ours: path,
    evidence: changed({ middle: { extensions: [constraints(onlyDns('good.test'))] }, leaf: { dns: ['evil.test'] } }),
  },
  {
    title: 'policy constraints',
    ours: path,
    differs: 'policies are not processed, so the critical extension refuses',
    evidence: changed({ middle: { extensions: [{ oid: '2.5.29.36', critical: true, value: bytes('3003800100') }] } }),
  },
  {
    title: 'a policy demanded and not there, not critical',
    ours: path,
    differs: 'openssl verify looks at policies only with -policy_check',
    evidence: changed({ middle: { extensions: [{ oid: '2.5.29.36', value: bytes('3003800100') }] } }),
  },
]

const signatures: readonly Chain[] = [
  {
    title: 'a leaf with a corrupted signature',
    ours: path,
    evidence: async () => {
      const { root, middle, leaf } = await family()
      const { chain, anchors } = sent([leaf, middle], [root])
      return { chain: [corrupted(leaf), ...chain.slice(1)], anchors }
    },
  },
  {
    title: 'a CA with a corrupted signature',
    ours: path,
    evidence: async () => {
      const { root, middle, leaf } = await family()
      return { ...sent([leaf], [root]), chain: [leaf.certificate, corrupted(middle)] }
    },
  },
  {
    title: 'a CA of the right name and another key',
    ours: path,
    evidence: async () => {
      const { root, middle } = await family()
      const thief = await ca('Middle')
      return sent([await client({ ...middle, key: thief.key }), middle], [root])
    },
  },
  {
    title: 'a CA of the right key and another name',
    ours: path,
    evidence: async () => {
      const { root, middle } = await family()
      const renamed = await ca('Renamed', { issuer: root, key: middle.key })
      return sent([await client(middle), renamed], [root])
    },
  },
  {
    title: 'an issuer name in another case',
    ours: 'accepted',
    evidence: async () => {
      const { root, middle } = await family()
      const louder = await ca('MIDDLE', { issuer: root, key: middle.key })
      return sent([await client(middle), louder], [root])
    },
  },
  {
    title: 'another authority key identifier',
    ours: path,
    evidence: changed({ leaf: { extensions: [{ oid: '2.5.29.35', value: bytes('3006800401020304') }] } }),
  },
  {
    title: 'a leaf signed with SHA-1',
    ours: path,
    differs: 'openssl verify allows SHA-1 at its default level',
    evidence: changed({ middle: { keyType: 'RSA' }, leaf: { digest: 'sha1' } }),
  },
  {
    title: 'a CA signed with SHA-1',
    ours: path,
    differs: 'openssl verify allows SHA-1 at its default level',
    evidence: changed({ root: { keyType: 'RSA' }, middle: { digest: 'sha1' } }),
  },
  {
    title: 'a root that signed itself with SHA-1',
    ours: 'accepted',
    evidence: changed({ root: { keyType: 'RSA', digest: 'sha1' } }),
  },
  {
    title: 'an RSA leaf of 1024 bit',
    ours: weak,
    differs: 'openssl verify allows 1024 bit at its default level',
    evidence: changed({ leaf: { key: pem('rsa', { modulusLength: 1024 }) } }),
  },
  {
    title: 'an RSA CA of 1024 bit',
    ours: weak,
    differs: 'openssl verify allows 1024 bit at its default level',
    evidence: changed({ middle: { key: pem('rsa', { modulusLength: 1024 }) } }),
  },
  {
    title: 'an RSA leaf with the exponent 3',
    ours: weak,
    differs: 'openssl verify allows every exponent',
    evidence: changed({ leaf: { key: pem('rsa', { modulusLength: 2048, publicExponent: 3 }) } }),
  },
  {
    title: 'a leaf on secp256k1',
    ours: weak,
    differs: 'openssl verify allows every curve',
    evidence: changed({ leaf: { key: pem('ec', { namedCurve: 'secp256k1' }) } }),
  },
  {
    title: 'an Ed448 leaf',
    ours: weak,
    differs: 'openssl verify allows Ed448',
    evidence: changed({ leaf: { key: pem('ed448', {}) } }),
  },
]

const leaves: readonly Chain[] = [
  { title: 'no key usage', ours: 'accepted', evidence: changed({ leaf: { keyUsage: [] } }) },
  {
    title: 'no extended key usage',
    ours: 'accepted',
    evidence: changed({ leaf: { extendedKeyUsage: [] } }),
  },
  {
    title: 'both purposes',
    ours: 'accepted',
    evidence: changed({ leaf: { extendedKeyUsage: ['serverAuth', 'clientAuth'] } }),
  },
  {
    title: 'any purpose',
    ours: 'accepted',
    differs: 'OpenSSL does not take anyExtendedKeyUsage for clientAuth',
    evidence: changed({ leaf: { extendedKeyUsage: ['anyExtendedKeyUsage'] } }),
  },
  {
    title: 'the purpose of a server',
    ours: purpose,
    evidence: changed({ leaf: { extendedKeyUsage: ['serverAuth'] } }),
  },
  {
    title: 'a purpose that nobody knows',
    ours: purpose,
    evidence: changed({ leaf: { extendedKeyUsage: ['1.3.6.1.4.1.55555.2'] } }),
  },
  {
    title: 'a key usage without digitalSignature',
    ours: purpose,
    evidence: changed({ leaf: { keyUsage: ['keyEncipherment'] } }),
  },
  {
    title: 'a key usage of keyAgreement only',
    ours: purpose,
    differs: 'OpenSSL takes keyAgreement for clients of static ECDH',
    evidence: changed({ leaf: { keyUsage: ['keyAgreement'] } }),
  },
  {
    title: 'more key usages',
    ours: 'accepted',
    evidence: changed({ leaf: { keyUsage: ['digitalSignature', 'keyEncipherment', 'dataEncipherment'] } }),
  },
  {
    title: 'a CA as leaf',
    ours: purpose,
    differs: 'OpenSSL takes a CA for a client',
    evidence: async () => {
      const { root, middle } = await family()
      return sent([await client(middle, { isCa: true, keyUsage: ['digitalSignature', 'keyCertSign'] }), middle], [root])
    },
  },
  {
    title: 'a leaf that says it is no CA',
    ours: 'accepted',
    evidence: changed({ leaf: { extensions: [{ oid: '2.5.29.19', value: bytes('3000') }] } }),
  },
  { title: 'a leaf of version 1', ours: 'accepted', evidence: changed({ leaf: { version: 1 } }) },
  { title: 'an unknown extension', ours: 'accepted', evidence: changed({ leaf: { extensions: [unknown(false)] } }) },
  { title: 'an unknown critical extension', ours: path, evidence: changed({ leaf: { extensions: [unknown(true)] } }) },
  {
    title: 'an unknown critical extension of the CA',
    ours: path,
    evidence: changed({ middle: { extensions: [unknown(true)] } }),
  },
  {
    title: 'an unknown critical extension of the root',
    ours: path,
    evidence: changed({ root: { extensions: [unknown(true)] } }),
  },
  {
    title: 'a critical policy',
    ours: 'accepted',
    evidence: changed({
      leaf: { extensions: [{ oid: '2.5.29.32', critical: true, value: bytes('300830060604551d2000') }] },
    }),
  },
  {
    title: 'an extension twice',
    ours: path,
    differs: 'OpenSSL looks for doubles only among the extensions that it knows',
    evidence: changed({ leaf: { extensions: [unknown(false), unknown(false)] } }),
  },
  {
    title: 'a key usage that cannot be read',
    ours: path,
    evidence: changed({ leaf: { extensions: [{ oid: '2.5.29.15', critical: true, value: bytes('0500') }] } }),
  },
  {
    title: 'an extended key usage that cannot be read',
    ours: path,
    evidence: changed({ leaf: { extensions: [{ oid: '2.5.29.37', value: bytes('0500') }] } }),
  },
  {
    title: 'alternative names',
    ours: 'accepted',
    evidence: changed({ leaf: { dns: ['a.test'], ips: ['::1'], uris: ['urn:a'], emails: ['a@b.test'] } }),
  },
  { title: 'a name with a NUL', ours: 'accepted', evidence: changed({ leaf: { subject: 'a\0b' } }) },
]

const lists: readonly Chain[] = [
  { title: 'lists that revoke nobody', ours: 'accepted', evidence: listed({}) },
  { title: 'a list with the leaf', ours: revoked, evidence: listed({ leaf: true }) },
  { title: 'a list with the CA', ours: revoked, evidence: listed({ middle: true }) },
  { title: 'a list in its last second', ours: 'accepted', differs: lastSecond, evidence: listed({ nextUpdate: now }) },
  { title: 'a list one second later', ours: revoked, evidence: listed({ nextUpdate: now - 1 }) },
  { title: 'a list of the future', ours: revoked, evidence: listed({ thisUpdate: now + 301 }) },
  { title: 'no list of the CA', ours: revoked, evidence: listed({ without: 'Middle' }) },
  { title: 'no list of the root', ours: revoked, evidence: listed({ without: 'Root' }) },
  { title: 'a list by another key', ours: revoked, evidence: listed({ forged: true }) },
  { title: 'a list by the same key under another name', ours: revoked, evidence: listed({ renamed: true }) },
  { title: 'a list of a CA that may sign none', ours: revoked, evidence: listed({ keyUsage: ['keyCertSign'] }) },
]

interface Listed {
  readonly leaf?: boolean
  readonly middle?: boolean
  readonly thisUpdate?: number
  readonly nextUpdate?: number
  readonly without?: 'Root' | 'Middle'
  readonly forged?: boolean
  readonly renamed?: boolean
  readonly keyUsage?: CertificateOptions['keyUsage']
}

function listed({ thisUpdate = now - day, nextUpdate = now + day, ...what }: Listed) {
  return async (): Promise<Evidence> => {
    const { root, middle, leaf } = await family(what.keyUsage ? { middle: { keyUsage: what.keyUsage } } : {})
    const { key } = what.forged ? await ca('Middle') : middle
    const ofRoot = { issuer: root, revoked: what.middle ? [middle.certificate] : [] }
    const { certificate } = what.renamed ? await ca('Renamed', { key: middle.key }) : middle
    const ofMiddle = { issuer: { certificate, key }, revoked: what.leaf ? [leaf.certificate] : [] }
    const kept = [...(what.without === 'Root' ? [] : [ofRoot]), ...(what.without === 'Middle' ? [] : [ofMiddle])]
    return {
      ...sent([leaf, middle], [root]),
      crls: kept.map((list) => issueRevocationList({ ...list, thisUpdate, nextUpdate })),
    }
  }
}

/** Every chain of the corpus. */
export const chains: readonly Chain[] = [...shapes, ...times, ...authorities, ...signatures, ...leaves, ...lists]
