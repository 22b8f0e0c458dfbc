import type { SettingsInput } from 'holdfast'
import { api, caller, client, dpopClient, type Materials, referenceClient } from './target.ts'

type Given = Pick<Materials, 'port' | 'certificate' | 'key' | 'settings'>

/** The settings of Holdfast in every comparison. */
export function settingsOf({ port, certificate, key, settings }: Given): SettingsInput {
  const common = { token_endpoint_auth_method: 'client_secret_post' } as const
  const bound = { ...common, tls_client_certificate_bound_access_tokens: true }
  return {
    issuer: `https://localhost:${port}`,
    layout: 'single',
    listen: { public: { port, host: '127.0.0.1', certificate, key } },
    apis: [{ identifier: api, scopes: ['api1'] }],
    dpop: { proofsPerMinute: 100_000_000 },
    ...settings,
    clients: [
      { ...client, ...bound },
      { ...referenceClient, ...bound, access_token_format: 'reference' },
      { ...dpopClient, ...common, dpop_bound_access_tokens: true },
      { ...caller, ...common, grant_types: [], introspects: [api] },
    ],
  }
}
