import { rootCertificates } from 'node:tls'
import { isStringArray, Refused, type Seconds } from '@holdfast/pop'
import { MutualTls } from '@holdfast/pop/client/node'
import * as openid from 'openid-client'
import type { Upstream } from '../ports/upstream.ts'
import type { Settings } from '../settings.ts'

/** How long the provider may take for one answer. */
const patience: Seconds = 5

/** A provider of the settings: its metadata are read at the first sign-in, and again after a failure. */
export function createUpstream(
  { id, issuer, client_id, client_secret, scope }: Settings['people']['upstream'][number],
  { ca }: Settings['outbound'],
): Upstream {
  const connections = new MutualTls({ ca: ca === undefined ? undefined : [ca, ...rootCertificates] })
  let known: Promise<openid.Configuration> | undefined
  const configuration = async (): Promise<openid.Configuration> => {
    known ??= openid.discovery(new URL(issuer), client_id, client_secret, undefined, {
      // as: the two write the absence of a body differently.
      [openid.customFetch]: (url, options) => connections.fetch(url, options as RequestInit),
      timeout: patience,
    })
    try {
      return await known
    } catch (cause) {
      known = undefined
      throw new Refused('upstream_unavailable', { cause })
    }
  }
  return {
    id,
    async begin({ redirectUri, state, nonce, verifier }, { fresh }) {
      const parameters = {
        redirect_uri: redirectUri,
        scope,
        state,
        nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(fresh && { prompt: 'login', max_age: '0' }),
      }
      return openid.buildAuthorizationUrl(await configuration(), parameters).href
    },
    async finish(answer, { state, nonce, verifier }) {
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }
      const tokens = await redeem(await configuration(), answer, checks)
      const claims = tokens.claims()
      if (!claims) throw new Refused('upstream_refused')
      const { sub, amr, auth_time: authenticated } = claims
      const methods = isStringArray(amr) ? amr : []
      return { issuer, sub, methods, ...(typeof authenticated === 'number' && { authenticated }) }
    },
    close: () => connections.close(),
  }
}

async function redeem(
  configuration: openid.Configuration,
  answer: URL,
  checks: openid.AuthorizationCodeGrantChecks,
): Promise<Awaited<ReturnType<typeof openid.authorizationCodeGrant>>> {
  try {
    return await openid.authorizationCodeGrant(configuration, answer, checks)
  } catch (cause) {
    throw new Refused('upstream_refused', { cause })
  }
}
