import { openidScopes } from '../model/openid-scope.ts'
import { possessionMethods } from '../possession/prove.ts'
import { type Settings, signingAlgorithmsOf } from '../settings.ts'
import { authenticationClass } from '../tokens/id-token.ts'
import { authorize } from './browser/authorize.ts'
import { consent } from './browser/consent.ts'
import { device } from './browser/device.ts'
import { signIn } from './browser/sign-in.ts'
import { signOut } from './browser/sign-out.ts'
import { upstreamCallback, upstreamSignIn } from './browser/upstream.ts'
import { deviceAuthorization } from './device-authorization.ts'
import { type Endpoint, pathOf } from './endpoint.ts'
import { introspect } from './introspect.ts'
import { keys } from './keys.ts'
import { publish } from './publish.ts'
import { pushedAuthorization } from './pushed-authorization.ts'
import { register } from './register.ts'
import { revoke } from './revoke.ts'
import { token } from './token.ts'
import { userinfo } from './userinfo.ts'

/** The server's metadata, at both well-known addresses: folded from the lists, so that it says what exists. RFC 8414, RFC 8705 §3.3, §5. */
const metadata: Endpoint = {
  paths: (settings) => [
    `/.well-known/oauth-authorization-server${pathOf(settings)}`,
    `${pathOf(settings)}/.well-known/openid-configuration`,
  ],
  methods: ['GET'],
  openTo: 'every-origin',
  async handle(inbound, { settings }) {
    return publish(documentOf(settings), inbound)
  },
}

/** The list. */
export const endpoints: readonly Endpoint[] = [
  authorize,
  pushedAuthorization,
  signIn,
  upstreamSignIn,
  upstreamCallback,
  consent,
  signOut,
  deviceAuthorization,
  device,
  token,
  userinfo,
  introspect,
  revoke,
  register,
  keys,
  metadata,
]

const documents = new WeakMap<Settings, string>()

function documentOf(settings: Settings): string {
  const known = documents.get(settings)
  if (known) return known
  const document = JSON.stringify(describe(settings))
  documents.set(settings, document)
  return document
}

function describe(settings: Settings): object {
  const { mutualTls, public: open } = settings.listen
  return {
    issuer: settings.issuer,
    ...addresses(endpoints, new URL(settings.issuer).origin, settings),
    ...Object.assign({}, ...endpoints.map((endpoint) => endpoint.metadata?.(settings))),
    scopes_supported: [...new Set([...openidScopes, ...settings.apis.flatMap(({ scopes }) => scopes)])],
    subject_types_supported: ['public', 'pairwise'],
    id_token_signing_alg_values_supported: signingAlgorithmsOf(settings),
    acr_values_supported: [authenticationClass],
    claim_types_supported: ['normal'],
    ...Object.assign({}, ...possessionMethods.map((method) => method.metadata(settings))),
    mtls_endpoint_aliases: addresses(
      endpoints.filter(({ aliased }) => aliased),
      (mutualTls ?? open).origin,
      settings,
    ),
  }
}

function addresses(list: readonly Endpoint[], origin: string, settings: Settings): Readonly<Record<string, string>> {
  return Object.fromEntries(
    list.flatMap(({ address, paths }) => (address ? paths(settings).map((path) => [address, `${origin}${path}`]) : [])),
  )
}
