import { generateKeyPairSync, sign } from 'node:crypto'
import { type PublicJwk, parsePublicJwk } from '@holdfast/pop'
import { nodePrimitives } from '@holdfast/pop/certificates'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Report } from '../../ports/report.ts'
import { type ActiveKey, type OutsideSigner, type Signer, SignerUnavailable } from '../../ports/signer.ts'
import { parseSettings } from '../../settings.ts'
import { adoptSigner } from './outside-signer.ts'

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwkOf = (key: typeof pair.publicKey) => parsePublicJwk(key.export({ format: 'jwk' })) as PublicJwk
const data = new TextEncoder().encode('header.claims')
const signBy = (key: typeof pair.privateKey, bytes: Uint8Array) =>
  sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' })

/** What an application may bring, and what can be wrong with it. */
function createWorld() {
  const world = {
    sign: ((bytes) => signBy(pair.privateKey, bytes)) as ActiveKey['sign'],
    signed: 0,
    reload: async () => {},
    published: [{ kid: 'one', algorithm: 'ES256' as const, key: jwkOf(pair.publicKey) }],
    reports: [] as Report[],
  }
  const active: ActiveKey = {
    kid: 'one',
    algorithm: 'ES256',
    sign: (bytes) => {
      world.signed++
      return world.sign(bytes)
    },
  }
  const signer: OutsideSigner = {
    algorithms: ['ES256'],
    active: () => active,
    published: () => world.published,
    reload: () => world.reload(),
  }
  return { world, signer }
}

const settings = (algorithm: 'ES256' | 'EdDSA' = 'ES256') =>
  parseSettings({
    issuer: 'https://as.test',
    layout: 'single',
    listen: { public: { port: 1, certificate: 'c', key: 'k' } },
    accessTokens: { algorithm },
    apis: [{ identifier: 'https://api.test', scopes: ['api1'] }],
  })

async function adopt(signer: OutsideSigner, world: { readonly reports: Report[] }, algorithm?: 'EdDSA') {
  const adopted = await adoptSigner(signer, {
    settings: settings(algorithm),
    primitives: nodePrimitives,
    now: () => 1000,
    report: (each) => world.reports.push(each),
  })
  onTestFinished(() => adopted[Symbol.dispose]())
  return adopted
}

const signature = (adopted: Signer) => Promise.resolve(adopted.active('ES256').sign(data))

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a signer of the application', () => {
  it('signs, and its keys are published', async () => {
    const { world, signer } = createWorld()
    const adopted = await adopt(signer, world)
    expect(await nodePrimitives.verify('ES256', jwkOf(pair.publicKey), data, await signature(adopted))).toBe(true)
    expect(world.signed).toBe(1)
    expect(adopted.published(1000)).toEqual(world.published)
    expect(adopted.active('ES256')).toBe(adopted.active('ES256'))
  })

  it.each([
    ['fails', () => Promise.reject(new Error('the service answers 500'))],
    [
      'throws',
      () => {
        throw new Error('no connection')
      },
    ],
    ['signs with another key', (bytes: Uint8Array) => signBy(other.privateKey, bytes)],
    ['signs something else', () => signBy(pair.privateKey, new Uint8Array(3))],
    ['gives DER, which is for certificates', (bytes: Uint8Array) => sign('sha256', bytes, pair.privateKey)],
    ['gives nothing', () => new Uint8Array()],
    ['gives something else', () => 'signature' as unknown as Uint8Array],
  ])('gives no token when it %s', async (_, broken) => {
    const { world, signer } = createWorld()
    const adopted = await adopt(signer, world)
    world.sign = broken
    await expect(signature(adopted)).rejects.toBeInstanceOf(SignerUnavailable)
    world.sign = (bytes) => signBy(pair.privateKey, bytes)
    await expect(signature(adopted)).resolves.toHaveLength(64)
  })

  it('has two seconds to sign', async () => {
    const { world, signer } = createWorld()
    const adopted = await adopt(signer, world)
    world.sign = () => new Promise(() => {})
    const outcome = signature(adopted).catch((cause: unknown) => cause)
    await vi.advanceTimersByTimeAsync(1999)
    expect(await Promise.race([outcome, 'waits'])).toBe('waits')
    await vi.advanceTimersByTimeAsync(1)
    expect(await outcome).toBeInstanceOf(SignerUnavailable)
  })

  it('that has failed three times in a row is asked no more until it is back, and both are reported once', async () => {
    const { world, signer } = createWorld()
    const adopted = await adopt(signer, world)
    world.sign = () => Promise.reject(new Error('away'))
    for (let tries = 0; tries < 3; tries++) await expect(signature(adopted)).rejects.toBeInstanceOf(SignerUnavailable)
    const asked = world.signed
    expect(() => adopted.active('ES256')).toThrow(SignerUnavailable)
    expect(world.signed).toBe(asked)
    await vi.advanceTimersByTimeAsync(1000)
    expect(() => adopted.active('ES256')).toThrow(SignerUnavailable)
    world.sign = (bytes) => signBy(pair.privateKey, bytes)
    await vi.advanceTimersByTimeAsync(1000)
    await expect(signature(adopted)).resolves.toHaveLength(64)
    expect(world.reports.map(({ event }) => event)).toEqual(['signer_unavailable', 'signer_available'])
  })

  it('is not called away for failures between which it signs', async () => {
    const { world, signer } = createWorld()
    const adopted = await adopt(signer, world)
    for (let tries = 0; tries < 5; tries++) {
      world.sign = () => Promise.reject(new Error('away'))
      for (let failed = 0; failed < 2; failed++) await expect(signature(adopted)).rejects.toThrow()
      world.sign = (bytes) => signBy(pair.privateKey, bytes)
      await expect(signature(adopted)).resolves.toHaveLength(64)
    }
    expect(world.reports).toEqual([])
  })

  it.each([
    [
      'says that it has none',
      () => {
        throw new Error('not read yet')
      },
    ],
    ['gives one for another algorithm', (key: ActiveKey) => ({ ...key, algorithm: 'EdDSA' }) as const],
  ])('is not there when it is asked for its key and %s', async (_, broken) => {
    const { world, signer } = createWorld()
    let isBroken = false
    const active: OutsideSigner['active'] = (algorithm) =>
      isBroken ? broken(signer.active(algorithm)) : signer.active(algorithm)
    const adopted = await adopt({ ...signer, active }, world)
    isBroken = true
    expect(() => adopted.active('ES256')).toThrow(SignerUnavailable)
    await expect(adopt({ ...signer, active }, world)).rejects.toMatchObject({ name: 'SettingsError' })
  })

  it('that was away when the server closed is asked no more', async () => {
    const { world, signer } = createWorld()
    const adopted = await adopt(signer, world)
    world.sign = () => Promise.reject(new Error('away'))
    for (let tries = 0; tries < 3; tries++) await expect(signature(adopted)).rejects.toThrow()
    const asked = world.signed
    adopted[Symbol.dispose]()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(world.signed).toBe(asked)
  })

  it('is asked for new keys every 15 seconds; while it cannot say, those that were known serve', async () => {
    const { world, signer } = createWorld()
    const adopted = await adopt(signer, world)
    world.published = [...world.published, { kid: 'two', algorithm: 'ES256', key: jwkOf(other.publicKey) }]
    await vi.advanceTimersByTimeAsync(14_999)
    expect(adopted.published(1000)).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(adopted.published(1000)).toHaveLength(2)
    world.reload = () => Promise.reject(new Error('away'))
    world.published = []
    await vi.advanceTimersByTimeAsync(15_000)
    expect(adopted.published(1000)).toHaveLength(2)
    expect(world.reports).toMatchObject([{ event: 'signer_not_reloaded' }])
  })

  it('does not sign with a key that it does not publish', async () => {
    const { world, signer } = createWorld()
    const adopted = await adopt({ ...signer, active: () => ({ ...signer.active('ES256'), kid: 'two' }) }, world).catch(
      (cause: unknown) => cause,
    )
    expect(adopted).toMatchObject({ name: 'SettingsError', message: expect.stringContaining('two') })
  })

  const [one] = createWorld().world.published
  const wrong: readonly (readonly [string, readonly unknown[]])[] = [
    ['its private half', [{ ...one, key: pair.privateKey.export({ format: 'jwk' }) }]],
    ['a key of another kind', [{ ...one, algorithm: 'EdDSA' }]],
    ['two keys of one name', [one, one]],
    ['no key', []],
  ]
  it.each(wrong)('stops the start that publishes %s', async (_, published) => {
    const { world, signer } = createWorld()
    world.published = published as typeof world.published
    await expect(adopt(signer, world)).rejects.toMatchObject({ name: 'SettingsError' })
  })

  it('stops the start when it cannot say which keys it has, or has not said so in ten seconds', async () => {
    const { world, signer } = createWorld()
    world.reload = () => Promise.reject(new Error('permission denied'))
    await expect(adopt(signer, world)).rejects.toMatchObject({
      name: 'SettingsError',
      message: expect.stringContaining('permission denied'),
    })
    world.reload = () => new Promise(() => {})
    const outcome = adopt(signer, world).catch((cause: unknown) => cause)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await outcome).toMatchObject({ name: 'SettingsError' })
  })

  it('stops the start when the settings ask for an algorithm that it lacks', async () => {
    const { world, signer } = createWorld()
    await expect(adopt(signer, world, 'EdDSA')).rejects.toMatchObject({
      name: 'SettingsError',
      message: expect.stringContaining('EdDSA'),
    })
  })
})
