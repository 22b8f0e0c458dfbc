import { createHash } from 'node:crypto'
import type { SettingsInput } from 'holdfast'
import {
  sampleAuthorization,
  sampleCode,
  sampleDevice,
} from '../../packages/server/src/store/sample-records.fixture.ts'
import { openSqliteStore } from '../../packages/server/src/store/sqlite/sqlite.ts'

/** What somebody has consented to, and the code that a client redeems for it. */
export interface Family {
  readonly id: string
  readonly kind: 'code' | 'device'
  readonly code: string
}

/** The settings that the load needs. */
export const settings = {
  people: { directory: [{ username: 'alice', password: 'alice', subject: sampleAuthorization.subject }] },
  apis: [{ identifier: 'https://api.test', scopes: ['api1'] }],
  clients: [
    {
      client_id: 'native',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      redirect_uris: ['https://client.test/done'],
      scope: 'api1',
      access_token_format: 'reference',
    },
    { client_id: 'machine', client_secret: 'secret', scope: 'api1', access_token_format: 'reference' },
    { client_id: 'api1', client_secret: 'secret', grant_types: [], introspects: ['https://api.test'] },
  ],
} as const satisfies Partial<SettingsInput>

const expires = 4_000_000_000

/** For PKCE: every code has the same. */
export const verifier = 'a'.repeat(43)

/** Puts families into the database of a server that does not run: nobody needs to sign in. */
export async function plantFamilies(file: string, count: number): Promise<readonly Family[]> {
  const store = await openSqliteStore({ file, limit: Number.POSITIVE_INFINITY })
  const families = Array.from({ length: count }, (_, index) => familyOf(index))
  const created = Math.floor(Date.now() / 1000)
  try {
    await Promise.all(
      families.map(async ({ id, kind, code }) => {
        const { sid: _, nonce: __, ...rest } = sampleAuthorization
        const permission = { scope: 'api1', resources: ['https://api.test'], authorizationDetails: [] }
        const authorization = {
          ...rest,
          ...permission,
          id,
          clientId: 'native',
          authenticated: created,
          created,
          expires,
        }
        const record = { hash: hashOf(code), clientId: 'native', expires }
        if (kind === 'code') {
          const { binding: ___, ...sample } = sampleCode
          const codeChallenge = hashOf(verifier)
          const { redirectUri, redirectUriGiven } = { redirectUri: 'https://client.test/done', redirectUriGiven: false }
          const issued = { ...sample, ...record, authorizationId: id, codeChallenge, redirectUri, redirectUriGiven }
          return await store.issue({ uses: [], authorization, code: issued })
        }
        const { binding: ___, ...sample } = sampleDevice
        const userCodeHash = hashOf(`user ${code}`)
        await store.insertDeviceAuthorization({ ...sample, ...record, scope: 'api1', created, userCodeHash })
        return await store.decideDevice({ userCodeHash, now: created, authorization })
      }),
    )
  } finally {
    await store.close()
  }
  return families
}

/** Under which a code or token is stored. */
export function hashOf(handle: string): string {
  return createHash('sha256').update(handle).digest('base64url')
}

function familyOf(index: number): Family {
  const id = `family-${index}`
  return { id, kind: index % 4 === 3 ? 'device' : 'code', code: hashOf(`code of ${id}`) }
}
