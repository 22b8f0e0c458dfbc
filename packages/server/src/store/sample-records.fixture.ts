import type {
  Authorization,
  AuthorizationCode,
  AuthorizationRequest,
  DeviceAuthorization,
  Flow,
  PushedRequest,
  RefreshToken,
  Session,
} from '../model/authorization.ts'
import type { ReferenceToken } from '../model/reference-token.ts'

/** For tests: a request of the client `native`. */
export const sampleRequest: AuthorizationRequest = {
  clientId: 'native',
  redirectUri: 'http://127.0.0.1:4711/callback',
  redirectUriGiven: true,
  responseMode: 'query',
  state: 'state',
  scope: 'openid api1',
  resources: ['https://api.example'],
  codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  nonce: 'nonce',
  prompt: ['login'],
  uiLocales: ['de', 'en'],
  authorizationDetails: [{ type: 'payment', amount: 5 }],
  binding: { publicKey: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dgA' },
}

/** For tests: what alice allowed the client `native` at 100. It ends at 1000, as do the records that follow from it. */
export const sampleAuthorization: Authorization = {
  id: 'family',
  clientId: 'native',
  subject: 'user:alice',
  scope: 'openid api1',
  resources: ['https://api.example'],
  authorizationDetails: [{ type: 'payment', amount: 5 }],
  sid: 'sid',
  authenticated: 99,
  methods: ['pwd'],
  nonce: 'nonce',
  created: 100,
  expires: 1000,
}

/** For tests: a pushed request that expires at 190. */
export const samplePushedRequest: PushedRequest = { hash: 'pushed', request: sampleRequest, expires: 190 }

/** For tests: a flow of its own that expires at 700. */
export const sampleFlow: Flow = { hash: 'flow', browser: 'browser', request: sampleRequest, created: 100, expires: 700 }

/** For tests: alice's session at a browser. */
export const sampleSession: Session = {
  hash: 'session',
  sid: 'sid',
  subject: 'user:alice',
  authenticated: 99,
  methods: ['pwd'],
  expires: 1000,
}

/** For tests: a bound code that expires at 160. */
export const sampleCode: AuthorizationCode = {
  hash: 'code',
  authorizationId: 'family',
  clientId: 'native',
  redirectUri: 'http://127.0.0.1:4711/callback',
  redirectUriGiven: true,
  codeChallenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
  binding: { publicKey: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dgA' },
  expires: 160,
}

/** For tests: the first refresh token of the family. */
export const sampleRefreshToken: RefreshToken = {
  hash: 'refresh',
  authorizationId: 'family',
  clientId: 'native',
  holder: 'public',
  binding: { jkt: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dgA' },
  beganBound: true,
  generation: 0,
  created: 100,
  expires: 1000,
}

/** For tests: a reference token of the family. */
export const sampleReferenceToken: ReferenceToken = {
  hash: 'reference',
  jti: 'family.reference',
  subject: 'user:alice',
  clientId: 'native',
  scope: 'api1',
  audience: ['https://api.example'],
  authorizationId: 'family',
  actor: { sub: 'api' },
  issued: 100,
  expires: 1000,
}

/** For tests: a device that waits, and expires at 700. */
export const sampleDevice: DeviceAuthorization = {
  hash: 'device',
  userCodeHash: 'user code',
  clientId: 'device',
  scope: 'openid api1',
  resources: ['https://api.example'],
  binding: { publicKey: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dgA' },
  created: 100,
  expires: 700,
  stage: 'pending',
}
