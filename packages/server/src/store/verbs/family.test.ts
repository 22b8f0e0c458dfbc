import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '../../ports/store.ts'
import { sampleAuthorization, sampleReferenceToken, sampleRefreshToken } from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

/** What a client got: a JWT is known by its family alone. */
interface Answer {
  readonly refresh: string
  readonly reference: string
}

type Step = 'refresh' | 'revoke' | 'introspect'

const now = 150
const step = fc.constantFrom<Step>('refresh', 'refresh', 'refresh', 'introspect', 'revoke')
/** What each of some callers does, one step after the other. */
const callers = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 4 })

/** The way of the token endpoint: read, judge, then one issue. */
function createFamily(store: Store, id: string) {
  const answers: Answer[] = [{ refresh: `${id} refresh 0`, reference: `${id} reference 0` }]
  let made = 0
  let revoked = false

  async function begin(): Promise<void> {
    const refreshToken = { ...sampleRefreshToken, hash: `${id} refresh 0`, authorizationId: id }
    const referenceToken = { ...sampleReferenceToken, hash: `${id} reference 0`, authorizationId: id }
    await store.issue({ uses: [], authorization: { ...sampleAuthorization, id }, refreshToken, referenceToken })
  }

  async function refresh(): Promise<void> {
    const hash = answers.at(-1)?.refresh ?? ''
    const [shown, authorization] = await Promise.all([store.findRefreshToken(hash), store.findAuthorization(id)])
    if (!shown || shown.replaced !== undefined || !authorization) return
    made += 1
    const answer = { refresh: `${id} refresh ${made}`, reference: `${id} reference ${made}` }
    const outcome = await store.issue({
      uses: [],
      redemptions: [{ kind: 'refresh_token', hash }],
      now,
      requireAuthorization: id,
      refreshToken: { ...shown, hash: answer.refresh, generation: shown.generation + 1 },
      referenceToken: { ...sampleReferenceToken, hash: answer.reference, authorizationId: id },
    })
    if (outcome.issued) answers.push(answer)
  }

  async function revoke(): Promise<void> {
    await store.revokeAuthorization({ id, now })
    revoked = true
  }

  /** @returns the tokens that are active although the revocation was answered before this began */
  async function introspect(): Promise<readonly string[]> {
    const wasRevoked = revoked
    const active = await activeOf([...answers])
    return wasRevoked ? active : []
  }

  async function activeOf(these: readonly Answer[]): Promise<readonly string[]> {
    const active: string[] = []
    for (const { refresh: hash, reference } of these) {
      if (await store.findReferenceToken(reference)) active.push(reference)
      const redemptions = [{ kind: 'refresh_token', hash }] as const
      const token = { ...sampleReferenceToken, hash: `${hash} tried`, authorizationId: id }
      if (revoked && (await store.issue({ uses: [], redemptions, now, referenceToken: token })).issued)
        active.push(hash)
      if (await store.findReferenceToken(token.hash)) active.push(token.hash)
    }
    if (await store.findAuthorization(id)) active.push(`the JWTs of ${id}`)
    return active
  }

  return { begin, refresh, revoke, introspect }
}

/** The store, each of whose calls waits for its turn. */
function inTurns(store: Store, scheduler: fc.Scheduler): Store {
  const turn = <Data extends unknown[], Answer>(method: (...data: Data) => Promise<Answer>) =>
    scheduler.scheduleFunction(method)
  return {
    ...store,
    issue: turn(store.issue),
    findRefreshToken: turn(store.findRefreshToken),
    findAuthorization: turn(store.findAuthorization),
    findReferenceToken: turn(store.findReferenceToken),
    revokeAuthorization: turn(store.revokeAuthorization),
  }
}

describe('a family of tokens', () => {
  it('has no active token after its revocation was answered, in any order of the calls', {
    timeout: 120_000,
  }, async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    let families = 0
    const property = fc.asyncProperty(fc.scheduler(), callers, async (scheduler, asked) => {
      const id = `family ${families++}`
      await createFamily(store, id).begin()
      const family = createFamily(inTurns(store, scheduler), id)
      const active: string[] = []
      const call = async (each: readonly Step[]) => {
        for (const step of each) active.push(...((await family[step]()) ?? []))
      }
      await scheduler.waitFor(Promise.all([...asked, ['revoke'] as const].map(call)))
      await scheduler.waitFor(call(['introspect']))
      expect(active).toEqual([])
    })
    await fc.assert(property, { numRuns: 200 })
  })

  it('has none either when all calls come at once', { timeout: 120_000 }, async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    for (let round = 0; round < 50; round++) {
      const family = createFamily(store, `family ${round}`)
      await family.begin()
      const refreshes = Array.from({ length: 16 }, () => family.refresh())
      const revoked = family.revoke().then(() => family.introspect())
      await Promise.all([...refreshes, ...Array.from({ length: 16 }, () => family.refresh())])
      expect([...(await revoked), ...(await family.introspect())]).toEqual([])
    }
  })
})
