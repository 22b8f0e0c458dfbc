import { generateKeyPair, type KeyObject } from 'node:crypto'

/** The kinds of key that certificates are made with. `RSA` has 2048 bit. */
export const keyTypes = ['RSA', 'P-256', 'P-384', 'P-521', 'Ed25519', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const

/** One of {@link keyTypes}. */
export type KeyType = (typeof keyTypes)[number]

/** Makes a private key, off the main thread. */
export function generatePrivateKey(type: KeyType): Promise<KeyObject> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, _: KeyObject, key: KeyObject) => (error ? reject(error) : resolve(key))
    switch (type) {
      case 'RSA':
        return generateKeyPair('rsa', { modulusLength: 2048, publicExponent: 65_537 }, done)
      case 'P-256':
      case 'P-384':
      case 'P-521':
        return generateKeyPair('ec', { namedCurve: type }, done)
      case 'Ed25519':
        return generateKeyPair('ed25519', {}, done)
      case 'ML-DSA-44':
        return generateKeyPair('ml-dsa-44', {}, done)
      case 'ML-DSA-65':
        return generateKeyPair('ml-dsa-65', {}, done)
      case 'ML-DSA-87':
        return generateKeyPair('ml-dsa-87', {}, done)
    }
  })
}
