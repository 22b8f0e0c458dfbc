/**
 * Every reason for which Holdfast declines a request: the OAuth code and the requirement it follows from, and the
 * sentence for the outside. There is no second list. Reasons that an attacker must not tell apart share code and sentence.
 */
export const refusals = {
  // the request as such
  endpoint_unknown: row('not_found', 'RFC9110-15.5.5', 'There is nothing at this address.'),
  method_not_allowed: row('method_not_allowed', 'RFC9110-15.5.6', 'Use a method that the Allow header names.'),
  request_target_malformed: row(
    'invalid_request',
    'RFC9112-3.2',
    'The request target must begin with exactly one slash.',
  ),
  request_malformed: row('invalid_request', 'RFC9112-2.2', 'The request is not well-formed HTTP.'),
  host_malformed: row('invalid_request', 'RFC9112-3.2', 'Send exactly one valid Host header.'),
  headers_too_large: row('headers_too_large', 'RFC6585-5', 'The request headers are too large.'),
  body_too_large: row('content_too_large', 'RFC9110-15.5.14', 'The request body may have at most 64 KiB.'),
  body_not_form: row('invalid_request', 'RFC6749-3.2', 'Send the parameters as application/x-www-form-urlencoded.'),
  form_malformed: row(
    'invalid_request',
    'RFC6749-B',
    'The form has a percent sequence or a character that is not allowed.',
  ),
  parameter_repeated: row('invalid_request', 'RFC6749-3.2', 'A parameter is included more than once.'),
  parameters_too_many: row('invalid_request', 'RFC6749-3.2', 'The form has too many parameters.'),
  parameter_in_query: row('invalid_request', 'RFC6749-2.3.1', 'Send parameters in the body, never in the address.'),
  header_repeated: row('invalid_request', 'RFC9110-5.3', 'The Authorization header is included more than once.'),
  request_incomplete: row('invalid_request', 'RFC9112-8', 'The connection ended before the request was complete.'),
  expectation_unknown: row('expectation_failed', 'RFC9110-10.1.1', 'Of the Expect header only 100-continue is known.'),
  request_too_slow: row('request_timeout', 'RFC9110-15.5.9', 'The request took too long to arrive.'),

  // client authentication
  client_unknown: row('invalid_client', 'RFC6749-5.2', 'Client authentication failed.'),
  client_disabled: row('invalid_client', 'RFC6749-5.2', 'Client authentication failed.'),
  client_secret_wrong: row('invalid_client', 'RFC6749-5.2', 'Client authentication failed.'),
  client_method_not_registered: row('invalid_client', 'RFC6749-5.2', 'Client authentication failed.'),
  client_credentials_missing: row(
    'invalid_client',
    'RFC6749-5.2',
    'Client authentication is required: send a secret, an assertion or a certificate.',
  ),
  client_id_missing: row('invalid_request', 'RFC8705-2', 'client_id is missing.'),
  client_id_differs: row(
    'invalid_request',
    'RFC6749-3.2.1',
    'The client_id of the body differs from the one that authenticates.',
  ),
  client_authentication_doubled: row(
    'invalid_request',
    'RFC6749-2.3',
    'Use exactly one of Basic, client_secret and client_assertion.',
  ),
  basic_malformed: row(
    'invalid_client',
    'RFC6749-2.3.1',
    'The Basic credentials are malformed: form-encode client_id and secret, join them with a colon, encode as base64.',
  ),
  authorization_scheme_unknown: row(
    'invalid_client',
    'RFC6749-2.3.1',
    'The Authorization header must use the Basic scheme here.',
  ),
  client_busy: row(
    'temporarily_unavailable',
    'RFC9110-15.6.4',
    'Too many secrets are being checked. Try again shortly.',
  ),
  client_attempts_exhausted: row(
    'too_many_requests',
    'RFC6585-4',
    'Too many failed attempts. Wait before the next one.',
  ),
  assertion_type_missing: row('invalid_request', 'RFC7521-4.2', 'client_assertion needs client_assertion_type.'),
  assertion_type_unknown: row(
    'invalid_client',
    'RFC7521-4.2',
    'client_assertion_type is not urn:ietf:params:oauth:client-assertion-type:jwt-bearer.',
  ),
  assertion_malformed: row('invalid_client', 'RFC7523-3', 'The client assertion is not a signed JWT.'),
  assertion_algorithm: row(
    'invalid_client',
    'RFC7523-3',
    'The client assertion uses an algorithm that is not accepted for this client.',
  ),
  assertion_key_unknown: row('invalid_client', 'RFC7523-3', 'The client assertion cannot be verified.'),
  assertion_signature: row('invalid_client', 'RFC7523-3', 'The client assertion cannot be verified.'),
  assertion_type_header: row('invalid_client', 'RFC8725-3.11', 'The client assertion has a typ that is not accepted.'),
  assertion_issuer: row(
    'invalid_client',
    'RFC7523-3',
    'iss and sub of the client assertion must both be the client_id.',
  ),
  assertion_audience: row(
    'invalid_client',
    'RFC7523bis-4',
    'aud of the client assertion must be the issuer, as one string.',
  ),
  assertion_expiry: row(
    'invalid_client',
    'RFC7523-3',
    'exp of the client assertion must be a moment within the next five minutes.',
  ),
  assertion_time: row('invalid_client', 'RFC7523-3', 'iat or nbf of the client assertion lies in the future.'),
  assertion_id: row('invalid_client', 'RFC7523-3', 'jti of the client assertion must have 1 to 256 characters.'),
  assertion_replayed: row('invalid_client', 'RFC7523-3', 'The client assertion was used before: jti must be new.'),
  client_keys_unavailable: row(
    'temporarily_unavailable',
    'RFC8705-2.2.2',
    "The client's keys cannot be fetched at the moment.",
  ),
  client_certificate_missing: row(
    'invalid_client',
    'RFC8705-2',
    'Client authentication failed: no client certificate arrived. Use the mTLS endpoint of the metadata.',
  ),
  client_certificate_not_registered: row(
    'invalid_client',
    'RFC8705-2.2',
    'Client authentication failed: the certificate is not acceptable for this client.',
  ),
  client_certificate_path: row(
    'invalid_client',
    'RFC8705-2.1',
    'Client authentication failed: the certificate is not acceptable for this client.',
  ),
  client_certificate_subject: row(
    'invalid_client',
    'RFC8705-2.1.2',
    'Client authentication failed: the certificate is not acceptable for this client.',
  ),
  client_certificate_purpose: row(
    'invalid_client',
    'RFC5280-4.2.1',
    'Client authentication failed: the certificate is not acceptable for this client.',
  ),
  client_certificate_revoked: row(
    'invalid_client',
    'RFC5280-6.3',
    'Client authentication failed: the certificate is not acceptable for this client.',
  ),
  client_certificate_dates: row(
    'invalid_client',
    'RFC5280-4.1.2.5',
    'Client authentication failed: the certificate is not valid at this time.',
  ),
  client_certificate_key: row(
    'invalid_client',
    'RFC8705-7.4',
    'Client authentication failed: the kind or size of the certificate key is not accepted.',
  ),

  // certificates as evidence
  certificate_unreadable: row('invalid_request', 'RFC8705-3.1', 'The client certificate cannot be read.'),
  certificate_chain_too_long: row('invalid_request', 'RFC8705-7.5', 'Too many certificates were sent: at most ten.'),
  certificate_expired: row('invalid_request', 'RFC8705-6.3', 'The client certificate has expired.'),
  certificate_not_yet_valid: row('invalid_request', 'RFC8705-6.3', 'The client certificate is not valid yet.'),
  certificate_key_unacceptable: row(
    'invalid_request',
    'RFC8705-7.4',
    'The kind or size of the certificate key is not accepted: use P-256, P-384, P-521, Ed25519, ML-DSA or RSA of 2048 to 4096 bit.',
  ),
  certificate_required: row(
    'invalid_request',
    'RFC8705-3.4',
    'This client must present a certificate. Use the mTLS endpoint of the metadata.',
  ),

  // grants
  grant_type_missing: row('invalid_request', 'RFC6749-4.4.2', 'grant_type is missing.'),
  grant_type_unsupported: row('unsupported_grant_type', 'RFC6749-5.2', 'This grant_type is not supported.'),
  grant_type_not_allowed: row('unauthorized_client', 'RFC6749-5.2', 'This client may not use this grant_type.'),
  client_public: row('unauthorized_client', 'RFC6749-4.4', 'Client credentials are for clients that authenticate.'),
  scope_malformed: row('invalid_scope', 'RFC6749-3.3', 'scope is not a list of distinct scope tokens.'),
  scope_unknown: row('invalid_scope', 'RFC6749-3.3', 'scope names something that this client may not ask for.'),
  resource_malformed: row('invalid_target', 'RFC8707-2', 'resource must be an absolute URI without a fragment.'),
  resource_unknown: row(
    'invalid_target',
    'RFC8707-2',
    'resource names no API that this client may call with the scope asked for.',
  ),
  resources_disagree: row(
    'invalid_target',
    'RFC8707-2',
    'These APIs take access tokens of different kinds: ask for one resource at a time.',
  ),
  resources_too_many: row('invalid_target', 'RFC8707-2', 'At most ten resources can be asked for.'),

  // authorization requests
  response_type_missing: row('invalid_request', 'RFC6749-4.1.2.1', 'response_type is missing.'),
  response_type_unsupported: row('unsupported_response_type', 'RFC6749-4.1.2.1', 'response_type must be code.'),
  response_mode_unknown: row(
    'invalid_request',
    'OAuth.Responses-2.1',
    'response_mode must be query, fragment or form_post.',
  ),
  authorization_not_allowed: row(
    'unauthorized_client',
    'RFC6749-4.1.2.1',
    'This client may not ask people for authorization.',
  ),
  authorization_client_unknown: row('invalid_request', 'RFC6749-4.1.2.1', 'client_id names no client that is known.'),
  redirect_uri_missing: row('invalid_request', 'RFC6749-3.1.2.3', 'redirect_uri is missing.'),
  redirect_uri_unregistered: row(
    'invalid_request',
    'RFC9700-2.1',
    'redirect_uri is none of those that the client registered.',
  ),
  state_too_long: row('invalid_request', 'RFC6749-4.1.1', 'state may have at most 4096 characters.'),
  nonce_too_long: row('invalid_request', 'OIDC.Core-3.1.2.1', 'nonce may have at most 512 characters.'),
  code_challenge_missing: row('invalid_request', 'RFC7636-4.4.1', 'code_challenge is required.'),
  code_challenge_method: row('invalid_request', 'RFC7636-4.4.1', 'code_challenge_method must be S256.'),
  code_challenge_malformed: row(
    'invalid_request',
    'RFC7636-4.2',
    'code_challenge must be the base64url of a SHA-256, 43 characters.',
  ),
  prompt_unknown: row(
    'invalid_request',
    'OIDC.Core-3.1.2.1',
    'prompt must be none, or some of login, consent and select_account.',
  ),
  max_age_malformed: row('invalid_request', 'OIDC.Core-3.1.2.1', 'max_age must be a number of seconds.'),
  id_token_hint_unknown: row('invalid_request', 'OIDC.Core-3.1.2.1', 'id_token_hint is no ID token of this server.'),
  dpop_jkt_malformed: row('invalid_request', 'RFC9449-10', 'dpop_jkt must be the SHA-256 thumbprint of a key.'),
  dpop_jkt_differs: row(
    'invalid_request',
    'RFC9449-10.1',
    'dpop_jkt outside the request object differs from the one inside.',
  ),
  authorization_details_malformed: row(
    'invalid_authorization_details',
    'RFC9396-5',
    'authorization_details must be an array of objects, each with a type.',
  ),
  authorization_details_type: row(
    'invalid_authorization_details',
    'RFC9396-5',
    'authorization_details has a type that is not known or not allowed for this client.',
  ),
  authorization_details_invalid: row(
    'invalid_authorization_details',
    'RFC9396-5',
    'An object in authorization_details is not valid for its type.',
  ),
  pushed_request_required: row('invalid_request', 'RFC9126-5', 'This client must push its authorization requests.'),
  request_uri_pushed: row('invalid_request', 'RFC9126-2.1', 'request_uri cannot be pushed.'),
  request_uri_unknown: row(
    'invalid_request_uri',
    'RFC9126-4',
    'request_uri is unknown, expired or used: begin again at the application.',
  ),
  request_uri_foreign: row('request_uri_not_supported', 'OIDC.Core-3.1.2.6', 'request_uri must come from PAR.'),
  request_doubled: row('invalid_request', 'RFC9101-5', 'request and request_uri cannot be used together.'),
  request_object_required: row('invalid_request', 'RFC9101-10.5', 'This client must sign its authorization requests.'),
  request_object_malformed: row('invalid_request_object', 'RFC9101-6.3', 'The request object is not a signed JWT.'),
  request_object_type: row('invalid_request_object', 'RFC9101-10.8', 'The JWT is no request object.'),
  request_object_algorithm: row(
    'invalid_request_object',
    'RFC9101-6.2',
    'The request object uses an algorithm that is not accepted for this client.',
  ),
  request_object_key: row('invalid_request_object', 'RFC9101-6.2', 'The request object cannot be verified.'),
  request_object_signature: row('invalid_request_object', 'RFC9101-6.2', 'The request object cannot be verified.'),
  request_object_issuer: row('invalid_request_object', 'RFC9101-4', 'iss of the request object must be the client_id.'),
  request_object_audience: row(
    'invalid_request_object',
    'RFC9101-4',
    'aud of the request object must be the issuer of this server.',
  ),
  request_object_time: row(
    'invalid_request_object',
    'RFC9101-4',
    'The request object must have an exp within the next hour, and a nbf, if any, within the last one.',
  ),
  request_object_client: row(
    'invalid_request_object',
    'RFC9101-6.3',
    'client_id inside and outside the request object must be the same.',
  ),
  request_object_nested: row(
    'invalid_request_object',
    'RFC9101-4',
    'A request object has no request and no request_uri.',
  ),
  request_object_parameter: row(
    'invalid_request_object',
    'RFC9101-4',
    'A parameter in the request object has the wrong type.',
  ),

  // people at a browser
  login_required: row('login_required', 'OIDC.Core-3.1.2.6', 'The person has to sign in.'),
  consent_required: row('consent_required', 'OIDC.Core-3.1.2.6', 'The person has to consent.'),
  consent_denied: row('access_denied', 'RFC6749-4.1.2.1', 'The person declined.'),
  flow_unknown: row(
    'invalid_request',
    'RFC6749-10.12',
    'This page belongs to another browser, or its time is over: begin again at the application.',
  ),
  flow_replayed: row('invalid_request', 'RFC6749-4.1.2', 'This page was used already: go back to the application.'),
  pushed_request_replayed: row(
    'invalid_request_uri',
    'RFC9126-7.3',
    'request_uri is unknown, expired or used: begin again at the application.',
  ),
  page_token_wrong: row('forbidden', 'RFC6749-10.12', 'This form was not made for this browser: load the page again.'),
  page_from_elsewhere: row('forbidden', 'RFC9700-4.7', 'This form was sent from another site.'),
  page_form_altered: row('invalid_request', 'RFC6749-10.12', 'The form has something in it that is not of this page.'),
  post_logout_redirect_uri_unregistered: row(
    'invalid_request',
    'OIDC.RPInitiated-3',
    'post_logout_redirect_uri is none of those that the client registered.',
  ),
  post_logout_client_unknown: row(
    'invalid_request',
    'OIDC.RPInitiated-2',
    'post_logout_redirect_uri needs an id_token_hint or a client_id that fit.',
  ),

  // what a person's authorization gives
  code_missing: row('invalid_request', 'RFC6749-4.1.3', 'code is missing.'),
  code_unknown: row('invalid_grant', 'RFC6749-5.2', 'The code is unknown, expired or used.'),
  code_expired: row('invalid_grant', 'RFC6749-4.1.2', 'The code is unknown, expired or used.'),
  code_used: row('invalid_grant', 'RFC6749-4.1.2', 'The code is unknown, expired or used.'),
  code_replayed: row('invalid_grant', 'RFC6749-4.1.2', 'The code is unknown, expired or used.'),
  code_of_another_client: row('invalid_grant', 'RFC6749-4.1.3', 'The code is unknown, expired or used.'),
  code_tries_exhausted: row('invalid_grant', 'RFC9700-4.5', 'The code is unknown, expired or used.'),
  code_redirect_uri_differs: row(
    'invalid_grant',
    'RFC6749-4.1.3',
    'redirect_uri must be the one of the authorization request.',
  ),
  code_verifier_missing: row('invalid_grant', 'RFC7636-4.6', 'code_verifier is missing.'),
  code_verifier_wrong: row('invalid_grant', 'RFC7636-4.6', 'code_verifier does not fit the code_challenge.'),
  code_key_not_shown: row('invalid_grant', 'RFC9449-10', 'The code is bound to a key, which the request did not show.'),
  authorization_ended: row('invalid_grant', 'RFC6749-5.2', 'The authorization has ended.'),
  person_gone: row('invalid_grant', 'RFC6749-5.2', 'The authorization has ended.'),
  refresh_token_missing: row('invalid_request', 'RFC6749-6', 'refresh_token is missing.'),
  refresh_token_unknown: row('invalid_grant', 'RFC6749-5.2', 'The refresh token is unknown, expired or replaced.'),
  refresh_token_expired: row('invalid_grant', 'RFC6749-5.2', 'The refresh token is unknown, expired or replaced.'),
  refresh_token_used: row('invalid_grant', 'RFC9700-4.14.2', 'The refresh token is unknown, expired or replaced.'),
  refresh_token_replayed: row('invalid_grant', 'RFC9700-4.14.2', 'The refresh token is unknown, expired or replaced.'),
  refresh_token_of_another_client: row(
    'invalid_grant',
    'RFC6749-6',
    'The refresh token is unknown, expired or replaced.',
  ),
  refresh_token_of_another_kind: row(
    'invalid_grant',
    'RFC6749-6',
    'The client authenticates in another way than when the refresh token was issued.',
  ),
  refresh_token_key_not_shown: row(
    'invalid_grant',
    'RFC8705-4',
    'The refresh token is bound to a key, which the request did not show.',
  ),
  grant_began_bound: row(
    'invalid_request',
    'RFC9700-2.2.1',
    'The first access token was bound to a key: show one, so that this one is bound too.',
  ),
  device_code_missing: row('invalid_request', 'RFC8628-3.4', 'device_code is missing.'),
  device_code_unknown: row('invalid_grant', 'RFC8628-3.5', 'The device code is unknown or used.'),
  device_code_used: row('invalid_grant', 'RFC8628-3.5', 'The device code is unknown or used.'),
  device_code_of_another_client: row('invalid_grant', 'RFC8628-3.5', 'The device code is unknown or used.'),
  device_code_key_not_shown: row(
    'invalid_grant',
    'RFC8705-4',
    'The device code is bound to a key, which the request did not show.',
  ),
  device_code_expired: row('expired_token', 'RFC8628-3.5', 'The device code has expired: begin again.'),
  device_pending: row('authorization_pending', 'RFC8628-3.5', 'Nobody has entered the user code yet.'),
  device_polled_early: row('slow_down', 'RFC8628-3.5', 'Wait five seconds longer between requests.'),
  device_denied: row('access_denied', 'RFC8628-3.5', 'The person declined.'),
  user_code_guesses_exhausted: row(
    'too_many_requests',
    'RFC8628-5.1',
    'Too many codes that no device shows. Wait before the next one.',
  ),
  exchange_client_public: row('unauthorized_client', 'RFC8693-5', 'Token exchange is for clients that authenticate.'),
  subject_token_missing: row('invalid_request', 'RFC8693-2.1', 'subject_token is missing.'),
  subject_token_type: row(
    'invalid_request',
    'RFC8693-2.1',
    'subject_token_type must be urn:ietf:params:oauth:token-type:access_token.',
  ),
  requested_token_type: row(
    'invalid_request',
    'RFC8693-2.1',
    'requested_token_type can only be urn:ietf:params:oauth:token-type:access_token.',
  ),
  actor_token_unsupported: row(
    'invalid_request',
    'RFC8693-2.1',
    'actor_token is not supported: who acts is the client.',
  ),
  actors_too_many: row('invalid_request', 'RFC8693-4.1', 'Too many clients have acted one after the other.'),
  subject_token_inactive: row('invalid_request', 'RFC8693-2.2.2', 'The subject token is not acceptable.'),
  subject_token_not_for_client: row('invalid_request', 'RFC8693-2.2.2', 'The subject token is not acceptable.'),
  subject_token_key_not_shown: row(
    'invalid_request',
    'RFC8693-2.2.2',
    'The subject token is bound to a key: show it, or a key of your own where the token is for you.',
  ),

  // sign-in at another provider
  upstream_unknown: row('invalid_request', 'OIDC.Core-3.1.2.1', 'There is no such provider to sign in with.'),
  upstream_unavailable: row(
    'temporarily_unavailable',
    'RFC9110-15.6.4',
    'The other provider cannot be reached. Try again shortly.',
  ),
  upstream_refused: row('access_denied', 'OIDC.Core-3.1.2.6', 'The other provider did not sign you in.'),
  upstream_person_unknown: row(
    'access_denied',
    'OIDC.Core-5.7',
    'There is no account here for whom the other provider has signed in.',
  ),

  // registration of clients by themselves
  body_not_json: row('invalid_request', 'RFC7591-3.1', 'Send the metadata as a JSON object, as application/json.'),
  registration_token_wrong: row(
    'invalid_token',
    'RFC7592-2',
    'The token is not one that registers or manages this client.',
  ),
  registrations_exhausted: row(
    'too_many_requests',
    'RFC6585-4',
    'Too many clients were registered, or this one was changed too often. Wait a while.',
  ),
  software_statement_unsupported: row(
    'unapproved_software_statement',
    'RFC7591-3.2.2',
    'Software statements are not taken here.',
  ),
  client_metadata_invalid: row('invalid_client_metadata', 'RFC7591-3.2.2', 'The metadata of the client is not valid.'),
  redirect_uri_unacceptable: row('invalid_redirect_uri', 'RFC7591-3.2.2', 'A redirect URI cannot be registered.'),

  // the DPoP proof of a request
  dpop_missing: row('invalid_dpop_proof', 'RFC9449-7.1', 'Send a DPoP proof with the access token.'),
  dpop_required: row('invalid_request', 'RFC9449-5.2', 'This client must send a DPoP proof.'),
  dpop_off: row('invalid_request', 'RFC9449-5', 'This client is not registered for DPoP: send no proof.'),
  dpop_jkt_disagrees: row('invalid_request', 'RFC9449-10.1', 'dpop_jkt is not the thumbprint of the key of the proof.'),
  dpop_repeated: row('invalid_dpop_proof', 'RFC9449-4.3-1', 'Send exactly one DPoP header with exactly one proof.'),
  dpop_malformed: row('invalid_dpop_proof', 'RFC9449-4.3-2', 'The DPoP proof is not a signed JWT.'),
  dpop_claims_malformed: row(
    'invalid_dpop_proof',
    'RFC9449-4.3-3',
    'The DPoP proof needs jwk in its header, and jti, htm, htu and iat of their types.',
  ),
  dpop_type: row('invalid_dpop_proof', 'RFC9449-4.3-4', 'typ of the DPoP proof must be dpop+jwt.'),
  dpop_algorithm: row('invalid_dpop_proof', 'RFC9449-4.3-5', 'The DPoP proof uses an algorithm that is not accepted.'),
  dpop_key: row(
    'invalid_dpop_proof',
    'RFC9449-4.3-6',
    'jwk of the DPoP proof is no key that is accepted for its algorithm.',
  ),
  dpop_signature: row('invalid_dpop_proof', 'RFC9449-4.3-6', 'The signature of the DPoP proof is wrong.'),
  dpop_key_private: row(
    'invalid_dpop_proof',
    'RFC9449-4.3-7',
    'The DPoP proof gives its private key away: use another key.',
  ),
  dpop_method_differs: row('invalid_dpop_proof', 'RFC9449-4.3-8', 'htm of the DPoP proof is not the request method.'),
  dpop_url_differs: row(
    'invalid_dpop_proof',
    'RFC9449-4.3-9',
    'htu of the DPoP proof is not the address of the request.',
  ),
  dpop_nonce_missing: row('use_dpop_nonce', 'RFC9449-4.3-10', 'Put the nonce of the DPoP-Nonce header into the proof.'),
  dpop_nonce_unknown: row('use_dpop_nonce', 'RFC9449-4.3-10', 'Put the nonce of the DPoP-Nonce header into the proof.'),
  dpop_stale: row('invalid_dpop_proof', 'RFC9449-4.3-11', 'The DPoP proof is too old: make one for each request.'),
  dpop_early: row('invalid_dpop_proof', 'RFC9449-4.3-11', 'The DPoP proof comes from the future: set the clock.'),
  dpop_skewed: row(
    'use_dpop_nonce',
    'RFC9449-4.3-11',
    'Your clock is off: put the nonce of the DPoP-Nonce header into the proof.',
  ),
  dpop_token_differs: row(
    'invalid_dpop_proof',
    'RFC9449-4.3-12',
    'ath of the DPoP proof is not the hash of this access token.',
  ),
  dpop_replayed: row(
    'invalid_dpop_proof',
    'RFC9449-11.1',
    'The DPoP proof was used before: make one for each request.',
  ),
  dpop_proofs_exhausted: row(
    'too_many_requests',
    'RFC9449-11.1',
    'Too many DPoP proofs within a minute. Wait before the next one.',
  ),
  replay_unavailable: row(
    'temporarily_unavailable',
    'RFC9449-11.1',
    'Whether the DPoP proof is new cannot be told at the moment. Try again shortly.',
  ),

  // introspection and revocation
  token_parameter_missing: row('invalid_request', 'RFC7662-2.1', 'token is missing.'),
  introspection_not_allowed: row(
    'invalid_client',
    'RFC7662-2.1',
    'Client authentication is required: send a secret, an assertion or a certificate.',
  ),
  introspection_guesses_exhausted: row(
    'too_many_requests',
    'RFC7662-4',
    'Too many of the tokens asked about are not active. Wait before the next one.',
  ),
  token_of_another_client: row('invalid_request', 'RFC7009-2.1', 'The token was not issued to this client.'),
  revocation_unsupported: row('unsupported_token_type', 'RFC7009-2.2.1', 'Tokens of this kind cannot be revoked here.'),

  // at an API: the token
  token_missing: row('token_missing', 'RFC6750-3', 'Send an access token in the Authorization header.'),
  token_scheme_unknown: row('token_missing', 'RFC6750-3', 'Send an access token in the Authorization header.'),
  token_in_query: row('invalid_request', 'RFC6750-2.3', 'Send the access token in the Authorization header only.'),
  token_repeated: row('invalid_request', 'RFC6750-2', 'Send exactly one Authorization header.'),
  token_malformed: row('invalid_token', 'RFC9068-4', 'The access token is malformed.'),
  token_type_wrong: row('invalid_token', 'RFC9068-4', 'This is not an access token.'),
  token_algorithm: row('invalid_token', 'RFC9068-4', 'The access token uses an algorithm that is not accepted.'),
  token_key_unknown: row('invalid_token', 'RFC9068-4', 'The access token cannot be verified.'),
  token_signature: row('invalid_token', 'RFC9068-4', 'The access token cannot be verified.'),
  token_issuer: row('invalid_token', 'RFC9068-4', 'The access token comes from another issuer.'),
  token_audience: row('invalid_token', 'RFC9068-4', 'The access token is not for this API.'),
  token_expired: row('invalid_token', 'RFC9068-4', 'The access token has expired.'),
  token_not_yet_valid: row('invalid_token', 'RFC7519-4.1.5', 'The access token is not valid yet.'),
  token_claims_malformed: row(
    'invalid_token',
    'RFC9068-2.2',
    'The access token lacks a required claim, or has one of the wrong type.',
  ),
  token_inactive: row('invalid_token', 'RFC7662-2.2', 'The access token is not active.'),
  scope_insufficient: row(
    'insufficient_scope',
    'RFC6750-3.1',
    'The access token does not carry the scope that is needed.',
  ),
  keys_unavailable: row(
    'temporarily_unavailable',
    'RFC9110-15.6.4',
    'The keys of the issuer cannot be had at the moment.',
  ),
  introspection_unavailable: row(
    'temporarily_unavailable',
    'RFC9110-15.6.4',
    'The token cannot be checked at the moment.',
  ),

  // at an API: the binding
  binding_missing: row('invalid_token', 'RFC9700-2.2.1', 'This API takes only access tokens that are bound to a key.'),
  confirmation_malformed: row('invalid_token', 'RFC7800-3.1', 'The cnf claim of the access token is malformed.'),
  confirmation_unknown: row(
    'invalid_token',
    'RFC7800-3.1',
    'The access token is bound in a way that this API cannot check.',
  ),
  confirmation_method_not_taken: row(
    'invalid_token',
    'RFC7800-3.1',
    'The access token is bound by a method that this API does not take.',
  ),
  confirmation_certificate_missing: row(
    'invalid_token',
    'RFC8705-3',
    'The access token is bound to a client certificate, and none arrived.',
  ),
  confirmation_certificate_differs: row(
    'invalid_token',
    'RFC8705-3',
    'The access token is bound to another client certificate.',
  ),
  confirmation_certificate_unacceptable: row('invalid_token', 'RFC8705-3', 'The client certificate is not acceptable.'),
  token_is_dpop: row(
    'invalid_token',
    'RFC9449-7.2',
    'The access token is bound to a DPoP key: send it as DPoP, with a proof.',
  ),
  token_is_not_dpop: row(
    'invalid_token',
    'RFC9449-7.1',
    'The access token is not bound to a DPoP key: send it as Bearer.',
  ),
  confirmation_proof_differs: row('invalid_token', 'RFC9449-4.3-12', 'The access token is bound to another DPoP key.'),
  confirmation_proof_missing: row(
    'invalid_token',
    'RFC9449-7.2',
    'The access token is bound to a DPoP key, which was not proven.',
  ),
  session_resumed: row(
    'invalid_token',
    'RFC8705-7.1',
    'The TLS session was resumed: open a new connection with the certificate.',
  ),

  // people and their pages
  person_attempts_exhausted: row(
    'too_many_requests',
    'RFC6585-4',
    'Too many failed attempts. Wait before the next one.',
  ),

  // limits
  address_requests_exhausted: row(
    'too_many_requests',
    'RFC6585-4',
    'Too many requests from this address. Wait before the next one.',
  ),
  client_requests_exhausted: row(
    'too_many_requests',
    'RFC6585-4',
    'Too many requests of this client. Wait before the next one.',
  ),
  starts_exhausted: row(
    'too_many_requests',
    'RFC6585-4',
    'Too many sign-ins were begun from this address. Wait before the next one.',
  ),

  // outages
  server_error: row('server_error', 'RFC6749-5.2', 'Something went wrong here. It is logged.'),
  store_unavailable: row(
    'temporarily_unavailable',
    'RFC9110-15.6.4',
    'The server cannot store at the moment. Try again shortly.',
  ),
  signer_unavailable: row(
    'temporarily_unavailable',
    'RFC9110-15.6.4',
    'The server cannot sign at the moment. Try again shortly.',
  ),
} as const satisfies Record<string, Refusal>

/** One row of the table. */
export interface Refusal {
  /** The OAuth error code. */
  readonly error: string
  /** The requirement that asks for the refusal. */
  readonly rule: string
  /** The sentence for the outside. */
  readonly says: string
}

/** A stable name of why a request is declined. */
export type Reason = keyof typeof refusals

/** Declined for a reason that a specification names. Anything else that throws is a bug or an outage. */
export class Refused extends Error {
  readonly reason: Reason
  /** For the log and for verdicts, never for the outside: no token, secret or proof in it. */
  readonly seen: string | undefined
  /** What would have been right; for verdicts, as `seen`. */
  readonly expected: string | undefined
  /** Seconds to wait, where waiting helps. */
  readonly retryAfter: number | undefined
  /** What the answer hands out as `DPoP-Nonce`. RFC 9449 §8. */
  readonly nonce: string | undefined

  constructor(
    reason: Reason,
    {
      seen,
      expected,
      retryAfter,
      nonce,
      cause,
    }: { seen?: string; expected?: string; retryAfter?: number; nonce?: string; cause?: unknown } = {},
  ) {
    super(reason, cause === undefined ? undefined : { cause })
    this.name = 'Refused'
    this.reason = reason
    this.seen = seen
    this.expected = expected
    this.retryAfter = retryAfter
    this.nonce = nonce
  }
}

function row(error: string, rule: string, says: string): Refusal {
  return { error, rule, says }
}
