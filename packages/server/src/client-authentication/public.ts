import type { ClientAuthentication } from './client-authentication.ts'

/** `none`: the client only says who it is. RFC 6749 §2.3. */
export const byIdentifier: ClientAuthentication = {
  methods: ['none'],
  takes: 'identifier',
  verify: () => [],
}
