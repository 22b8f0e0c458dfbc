import { Refused } from '@holdfast/pop'
import { methodsOf } from '../model/client.ts'
import type { ClientAuthentication } from './client-authentication.ts'

/** `client_secret_basic` and `client_secret_post`: alike unless the registration names one. RFC 6749 §2.3.1. */
export const bySecret: ClientAuthentication = {
  methods: ['client_secret_basic', 'client_secret_post'],
  takes: 'secret',
  async verify({ client, credentials }, { secrets }) {
    if (credentials.kind !== 'secret' || !methodsOf(client).includes(`client_secret_${credentials.by}`)) {
      throw new Refused('client_method_not_registered')
    }
    if (!(await secrets.matches(client, credentials.secret))) throw new Refused('client_secret_wrong')
    return []
  },
}
