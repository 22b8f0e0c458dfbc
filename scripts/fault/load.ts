import type { Operation } from '../../packages/server/src/store/history.fixture.ts'
import type { Chance } from './chance.ts'
import { type Family, verifier } from './families.ts'
import type { Answer, Victim } from './victim.ts'

/** Sixteen who ask a server at once, and write down what came of it before they ask again. */
export interface Load {
  readonly operations: readonly Operation[]
  /** Secrets of the clients that were added. */
  readonly secrets: ReadonlyMap<string, string>
  /** Asks until the moment comes. */
  work(until: () => boolean): Promise<void>
  /** What the checker does may end a family. */
  doubt(key: string): void
}

type Outcome = Operation['outcome']
type Turn = () => Promise<void>

/** Creates the load: eleven live through families of tokens, four get tokens of their own, one adds and ends clients. */
export function createLoad(victim: Victim, families: readonly Family[], chance: Chance): Load {
  const operations: Operation[] = []
  const secrets = new Map<string, string>()
  const familyOfCode = new Map<string, string>()
  let planted = 0
  let clients = 0

  const note = (operation: Operation) => void operations.push(operation)

  async function asked(ask: Promise<Answer>): Promise<{ readonly outcome: Outcome; readonly json: Answer['json'] }> {
    try {
      const { status, json } = await ask
      if (status === 200) return { outcome: 'done', json }
      return { outcome: json.error === 'invalid_grant' ? 'lost' : 'unknown', json }
    } catch {
      return { outcome: 'unknown', json: {} }
    }
  }

  async function end(key: string, ask: Promise<Answer>): Promise<boolean> {
    const { outcome } = await asked(ask)
    note({ what: 'revoke', key, outcome: outcome === 'lost' ? 'unknown' : outcome })
    return outcome === 'done'
  }

  /** A family from its code to its end: redeemed, refreshed, sometimes by two at once, and ended. */
  function createFamilyTurn(): Turn {
    let family: Family | undefined
    let refresh: string | undefined
    let access = ''
    let isDoubtful = false

    async function redeem(key: string, form: Readonly<Record<string, string>>, id: string): Promise<void> {
      familyOfCode.set(key, id)
      const rivals = chance.between(1, 4) === 1 ? 2 : 1
      const tries = Array.from({ length: rivals }, () => asked(victim.post('/token', { client_id: 'native', ...form })))
      const answers = await Promise.all(tries)
      for (const { outcome } of answers) note({ what: 'use', key, outcome })
      const won = answers.find(({ outcome }) => outcome === 'done')
      // Who is late may be taken for a thief, and an unanswered one may have won: then the family can end.
      if (answers.some(({ outcome }) => outcome !== 'done')) note({ what: 'revoke', key: id, outcome: 'unknown' })
      if (!won) {
        if (isDoubtful || answers.some(({ outcome }) => outcome === 'lost')) family = undefined
        isDoubtful = true
        return
      }
      isDoubtful = false
      access = String(won.json.access_token)
      refresh = String(won.json.refresh_token)
      note({ what: 'insert', key: `token ${access}`, family: id, outcome: 'done' })
      note({ what: 'insert', key: `refresh ${refresh}`, family: id, outcome: 'done' })
    }

    return async () => {
      if (!family) {
        family = families[planted++]
        refresh = undefined
        isDoubtful = false
        if (!family) throw new Error('All families are used up: plant more.')
      }
      const { id, kind, code } = family
      if (refresh === undefined) {
        const form: Readonly<Record<string, string>> =
          kind === 'code'
            ? { grant_type: 'authorization_code', code, code_verifier: verifier }
            : { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: code }
        return await redeem(`${kind} ${code}`, form, id)
      }
      const next = chance.between(1, 10)
      if (isDoubtful || next <= 7)
        return await redeem(`refresh ${refresh}`, { grant_type: 'refresh_token', refresh_token: refresh }, id)
      if (next === 8)
        return void (await end(`token ${access}`, victim.post('/revoke', { client_id: 'native', token: access })))
      family = undefined
      if (next === 9) await end(id, victim.post('/revoke', { client_id: 'native', token: refresh }))
    }
  }

  function createMachineTurn(): Turn {
    const machine = { client_id: 'machine', client_secret: 'secret' }
    return async () => {
      const { outcome, json } = await asked(victim.post('/token', { ...machine, grant_type: 'client_credentials' }))
      const token = String(json.access_token)
      if (outcome !== 'done') return
      note({ what: 'insert', key: `token ${token}`, outcome })
      if (chance.between(1, 3) === 1) await end(`token ${token}`, victim.post('/revoke', { ...machine, token }))
    }
  }

  function createOperatorTurn(): Turn {
    return async () => {
      const clientId = `added-${clients++}`
      const client = { client_id: clientId, scope: 'api1' }
      const { outcome, json } = await asked(victim.administer('client-add', { client, secret: 'generate' }))
      if (outcome !== 'done') return
      secrets.set(clientId, String(json.secret))
      note({ what: 'insert', key: `client ${clientId}`, outcome })
      const next = chance.between(1, 4)
      if (next <= 2)
        await end(`client ${clientId}`, victim.administer('client-edit', { clientId, change: { disabled: true } }))
      if (next === 3) await end(`client ${clientId}`, victim.administer('client-remove', { clientId }))
    }
  }

  const turns = [
    ...Array.from({ length: 11 }, createFamilyTurn),
    ...Array.from({ length: 4 }, createMachineTurn),
    createOperatorTurn(),
  ]
  return {
    operations,
    secrets,
    doubt(key) {
      const family = familyOfCode.get(key)
      if (family !== undefined) note({ what: 'revoke', key: family, outcome: 'unknown' })
    },
    async work(until) {
      await Promise.all(
        turns.map(async (turn) => {
          while (!until()) await turn()
        }),
      )
    },
  }
}
