import { behindIssuer, type Endpoint } from './endpoint.ts'
import { publish } from './publish.ts'

/** A key that somebody may have must be gone from caches soon: who asks again is told that nothing changed. */
const lifetime = 15

/** The JWK set: public keys with `kid`, `alg` and `use`. RFC 7517 §5. */
export const keys: Endpoint = {
  paths: behindIssuer('/jwks'),
  methods: ['GET'],
  address: 'jwks_uri',
  openTo: 'every-origin',
  async handle(inbound, { signer, now }) {
    const published = signer
      .published(now())
      .map(({ kid, algorithm, key }) => ({ ...key, use: 'sig', alg: algorithm, kid }))
    return publish(JSON.stringify({ keys: published }), inbound, { type: 'application/jwk-set+json', lifetime })
  },
}
