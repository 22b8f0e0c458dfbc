import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Redemption, Store } from '../../ports/store.ts'
import { sampleAuthorization, sampleCode, sampleReferenceToken, sampleRefreshToken } from '../sample-records.fixture.ts'
import { openTemporaryStore } from '../temporary-store.fixture.ts'

/** What a server does with its store; the clock leaps up to five minutes ahead of the time, and back behind it. */
type Step =
  | { readonly kind: 'wait' | 'leap'; readonly seconds: number }
  | { readonly kind: 'begin' | 'purge' }
  | { readonly kind: 'use' | 'redeem' | 'refresh' | 'revoke' | 'look'; readonly which: number }

const lengths = {
  wait: fc.integer({ min: 1, max: 400 }),
  leap: fc.oneof(fc.constantFrom(0, 300, -300), fc.integer({ min: -300, max: 300 })),
}
const step: fc.Arbitrary<Step> = fc.oneof(
  ...(['wait', 'leap'] as const).map((kind) => fc.record({ kind: fc.constant(kind), seconds: lengths[kind] })),
  ...(['begin', 'purge', 'purge'] as const).map((kind) => fc.record({ kind: fc.constant(kind) })),
  ...(['use', 'redeem', 'refresh', 'revoke', 'look'] as const).map((kind) =>
    fc.record({ kind: fc.constant(kind), which: fc.nat({ max: 5 }) }),
  ),
)

/** As the server purges: what expired so long ago, in seconds. */
const slack = 600

/** What began at a moment: an authorization with all that follows from it, and a proof; and what has become of it. */
interface Family {
  readonly id: string
  readonly began: number
  readonly gone: Set<string>
}

/** Makes the steps, and says which things came back that were used up or revoked. */
async function revived(store: Store, name: string, story: readonly Step[], purgeSlack = slack): Promise<string[]> {
  const families: Family[] = []
  const found: string[] = []
  let [time, leap] = [1_000_000, 0]
  const now = () => time + leap
  const familyOf = (each: Step) => ('which' in each ? families[each.which] : undefined)

  async function begin(): Promise<void> {
    const id = `${name} ${families.length}`
    const began = now()
    const its = { authorizationId: id, expires: began + 200 }
    await store.issue({
      uses: [],
      authorization: { ...sampleAuthorization, id, created: began, expires: began + 200 },
      code: { ...sampleCode, ...its, hash: id, expires: began + 60 },
      refreshToken: { ...sampleRefreshToken, ...its, hash: id, created: began },
      referenceToken: { ...sampleReferenceToken, ...its, hash: id, issued: began },
    })
    families.push({ id, began, gone: new Set() })
  }

  async function redeem({ id, gone }: Family, kind: Redemption['kind']): Promise<void> {
    const successor = { ...sampleRefreshToken, hash: `${id} next`, authorizationId: id, generation: 1 }
    const redemption = { uses: [], redemptions: [{ kind, hash: id }], now: now() }
    const { issued } = await store.issue({
      ...redemption,
      ...(kind === 'refresh_token' && { refreshToken: successor }),
    })
    if (issued && gone.has(kind)) found.push(`${kind} of ${id}`)
    if (issued && gone.has('all')) found.push(`${kind} of ${id}, which was revoked`)
    if (issued) gone.add(kind)
  }

  async function use({ id, began, gone }: Family): Promise<void> {
    if (now() < began - 10 || now() > began + 60) return
    const { issued } = await store.issue({ uses: [{ kind: 'proof', key: id, expires: began + 60 }] })
    if (issued && gone.has('proof')) found.push(`proof of ${id}`)
    gone.add('proof')
  }

  async function revoke({ id, began, gone }: Family): Promise<void> {
    if (now() >= began + 200) return
    await store.revokeAuthorization({ id, now: now() })
    await store.revokeJwt({ jti: id, expires: began + 200 })
    gone.add('all')
  }

  async function look({ id, began, gone }: Family): Promise<void> {
    if (!gone.has('all') || now() >= began + 200) return
    if (await store.findAuthorization(id)) found.push(`authorization ${id}`)
    if (await store.findReferenceToken(id)) found.push(`reference token ${id}`)
    if (!(await store.isJwtRevoked({ jti: id, issued: began }))) found.push(`JWT ${id}`)
  }

  const purge = () => store.purge({ before: now() - purgeSlack, limit: 1000 })

  for (const each of story) {
    if (each.kind === 'wait') time += each.seconds
    if (each.kind === 'leap') leap = each.seconds
    if (each.kind === 'begin') await begin()
    if (each.kind === 'purge') await purge()
    const family = familyOf(each)
    if (!family) continue
    if (each.kind === 'use') await use(family)
    if (each.kind === 'redeem') await redeem(family, 'code')
    if (each.kind === 'refresh') await redeem(family, 'refresh_token')
    if (each.kind === 'revoke') await revoke(family)
    if (each.kind === 'look') await look(family)
  }
  return found
}

const stories = fc.array(step, { maxLength: 60, size: 'max' })

describe('[F16] a store whose clock leaps by five minutes ahead and back', () => {
  it('revives nothing that was used up or revoked', { timeout: 60_000 }, async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    let runs = 0
    await fc.assert(
      fc.asyncProperty(stories, async (story) => {
        expect(await revived(store, `run ${runs++}`, story)).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  it('would revive some if it were purged at once', { timeout: 60_000 }, async () => {
    const { store } = await openTemporaryStore(onTestFinished)
    const used: Step[] = [
      { kind: 'begin' },
      { kind: 'use', which: 0 },
      { kind: 'revoke', which: 0 },
      { kind: 'leap', seconds: 300 },
      { kind: 'purge' },
      { kind: 'leap', seconds: 0 },
      { kind: 'use', which: 0 },
      { kind: 'look', which: 0 },
    ]
    expect(await revived(store, 'late', used)).toEqual([])
    expect(await revived(store, 'at once', used, 0)).toEqual(['proof of at once 0', 'JWT at once 0'])
  })
})
