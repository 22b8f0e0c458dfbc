import type { JsonObject, KeyBinding, Seconds } from '@holdfast/pop'

/** An authorization request whose every part was checked against its client. RFC 6749 §4.1.1, RFC 7636, RFC 9126. */
export interface AuthorizationRequest {
  readonly clientId: string
  /** One of the registered ones, exactly; the port of a loopback one as asked for. */
  readonly redirectUri: string
  /** Whether the request named it: then the token request must repeat it. RFC 6749 §4.1.3. */
  readonly redirectUriGiven: boolean
  readonly responseMode: 'query' | 'fragment' | 'form_post'
  readonly state?: string
  /** What the client may have of what it asked for, separated by spaces. */
  readonly scope: string
  /** RFC 8707. Empty when the scopes choose. */
  readonly resources: readonly string[]
  /** S256, always. */
  readonly codeChallenge: string
  readonly nonce?: string
  readonly prompt: readonly ('none' | 'login' | 'consent' | 'select_account')[]
  readonly maxAge?: Seconds
  readonly loginHint?: string
  /** Language tags in order of preference. */
  readonly uiLocales: readonly string[]
  /** The subject that an `id_token_hint` names. */
  readonly subjectHint?: string
  /** RFC 9396, each checked by its type. */
  readonly authorizationDetails: readonly JsonObject[]
  /** What the code will be bound to: `dpop_jkt`, or the key shown at PAR. */
  readonly binding?: KeyBinding
}

/** A request that was pushed and waits for its browser. RFC 9126. */
export interface PushedRequest {
  /** Base64url of the SHA-256 over the handle in `request_uri`. */
  readonly hash: string
  readonly request: AuthorizationRequest
  readonly expires: Seconds
}

/** An authorization on its way through pages, bound to one browser. It lives on its own after the request has come. */
export interface Flow {
  /** Base64url of the SHA-256 over the id in the address. */
  readonly hash: string
  /** Base64url of the SHA-256 over the secret in the browser's cookie: a link opened elsewhere goes nowhere. */
  readonly browser: string
  readonly request: AuthorizationRequest
  /** Used up with the flow, where the request was pushed. */
  readonly pushedRequest?: string
  readonly created: Seconds
  readonly expires: Seconds
}

/** Somebody signed in at a browser. */
export interface Session {
  /** Base64url of the SHA-256 over the id in the cookie. */
  readonly hash: string
  /** What ID tokens call it: not the id. */
  readonly sid: string
  readonly subject: string
  readonly authenticated: Seconds
  /** How: `pwd`, or what an upstream provider said. RFC 8176. */
  readonly methods: readonly string[]
  readonly expires: Seconds
}

/** What a person allowed a client, from the moment of consent: the family of all tokens that follow from it. */
export interface Authorization {
  readonly id: string
  readonly clientId: string
  readonly subject: string
  readonly scope: string
  readonly resources: readonly string[]
  readonly authorizationDetails: readonly JsonObject[]
  readonly sid?: string
  readonly authenticated: Seconds
  readonly methods: readonly string[]
  readonly nonce?: string
  readonly created: Seconds
  readonly expires: Seconds
}

/** A code at rest. RFC 6749 §4.1.2. */
export interface AuthorizationCode {
  /** Base64url of the SHA-256 over the code. */
  readonly hash: string
  readonly authorizationId: string
  readonly clientId: string
  readonly redirectUri: string
  readonly redirectUriGiven: boolean
  readonly codeChallenge: string
  readonly binding?: KeyBinding
  readonly expires: Seconds
  /** When it was redeemed. */
  readonly redeemed?: Seconds
}

/** A refresh token at rest. */
export interface RefreshToken {
  /** Base64url of the SHA-256 over the token. */
  readonly hash: string
  readonly authorizationId: string
  readonly clientId: string
  /** Whether the client was public when it got it: a family does not go from one kind to the other. */
  readonly holder: 'public' | 'confidential'
  /** What a public client must show. `decisions.md` 1.9. */
  readonly binding?: KeyBinding
  /** The first access token of the family was bound: no later one may be unbound. */
  readonly beganBound: boolean
  /** Counts rotations within the family. */
  readonly generation: number
  readonly created: Seconds
  readonly expires: Seconds
  /** When it was replaced by the next generation. */
  readonly replaced?: Seconds
}

/** A device that waits for somebody to enter its code elsewhere. RFC 8628. */
export type DeviceAuthorization = {
  readonly hash: string
  /** Of the normalised user code. */
  readonly userCodeHash: string
  readonly clientId: string
  readonly scope: string
  readonly resources: readonly string[]
  readonly binding?: KeyBinding
  readonly created: Seconds
  readonly expires: Seconds
} & (
  | { readonly stage: 'pending' }
  | { readonly stage: 'denied' }
  | { readonly stage: 'approved'; readonly authorizationId: string }
  | { readonly stage: 'redeemed' }
)
