import { nodePrimitives } from '@holdfast/pop/certificates'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSealing } from '../administration/keys/sealing.ts'
import { createSigner } from '../administration/keys/signer.ts'
import { ensureSigningKeys } from '../administration/keys/signing-keys.ts'
import type { Authorization } from '../model/authorization.ts'
import { parseClient, parseSettings } from '../settings.ts'
import { openTemporaryStore } from '../store/temporary-store.fixture.ts'
import { type Issuance, issue } from './access-token.ts'

const authorization: Authorization = {
  id: 'family',
  clientId: 'native',
  subject: 'user:alice',
  scope: 'api1',
  resources: [],
  authorizationDetails: [],
  authenticated: 90,
  methods: ['pwd'],
  created: 100,
  expires: 1000,
}
const settings = parseSettings({
  issuer: 'https://as.test',
  listen: { public: { port: 1, certificate: 'a', key: 'b' }, mutualTls: { port: 2 } },
  apis: [{ identifier: 'https://api.test', scopes: ['api1'] }],
})
const refreshToken = {
  authorizationId: 'family',
  clientId: 'native',
  holder: 'public',
  beganBound: false,
  generation: 0,
  created: 100,
  expires: 1000,
} as const
const issuance: Issuance = {
  grant: {
    subject: 'user:alice',
    clientId: 'native',
    scope: 'api1',
    audience: ['https://api.test'],
    authorizationId: 'family',
  },
  accessToken: { format: 'jwt', algorithm: 'ES256', lifetime: 60 },
  uses: [],
  authorization,
}

async function create() {
  const { store } = await openTemporaryStore(onTestFinished)
  const sealing = createSealing([new Uint8Array(32)], nodePrimitives.random)
  await ensureSigningKeys(store, ['ES256'], sealing, 100)
  await store.issue({ uses: [], authorization })
  const signer = await createSigner({ store, sealing })
  return { store, signer, settings, primitives: nodePrimitives, now: () => 100 }
}

describe('issuing what follows from an authorization', () => {
  it.each(['jwt', 'reference'] as const)('gives a token while it stands: %s', async (format) => {
    const context = await create()
    const issued = await issue({ ...issuance, accessToken: { ...issuance.accessToken, format } }, context)
    expect(issued).toMatchObject({ lifetime: 60, scope: 'api1' })
  })

  it.each([
    ['a JWT', issuance],
    ['a reference token', { ...issuance, accessToken: { ...issuance.accessToken, format: 'reference' } }],
    ['a refresh token', { ...issuance, refreshToken }],
  ] as const)('[incident 38] gives nothing when it was revoked since it was judged: %s', async (_, judged) => {
    const context = await create()
    await context.store.revokeAuthorization({ id: 'family', now: 100 })
    await expect(issue(judged, context)).rejects.toMatchObject({ reason: 'authorization_ended' })
  })

  it('[T72] gives nothing, and no other answer, when the store cannot record it', async () => {
    const context = await create()
    await context.store.close()
    await expect(issue({ ...issuance, refreshToken }, context)).rejects.not.toHaveProperty('reason')
  })

  it('uses nothing up when there is no key to sign with', async () => {
    const context = await create()
    const uses = [{ kind: 'assertion', key: 'key', expires: 1000 }] as const
    const client = parseClient({ client_id: 'web', client_secret: 'secret', id_token_signed_response_alg: 'PS256' })
    await expect(issue({ ...issuance, uses, idToken: { client } }, context)).rejects.toThrow()
    expect(await context.store.issue({ uses })).toEqual({ issued: true })
  })
})
