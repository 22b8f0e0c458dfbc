import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../../conformance/postgres-server.ts'
import { requirePrograms } from '../../../../../conformance/requires.ts'
import type { Report } from '../../ports/report.ts'
import { openPostgresStore } from './postgres.ts'

requirePrograms('postgres')("[F16] a node's clock", () => {
  let server: PostgresServer
  let url: string
  beforeAll(async () => {
    server = await startPostgres()
    url = await server.createDatabase()
  })
  afterAll(() => server?.stop())

  /** What a node tells whose clock is so far off, at its start. */
  async function toldAt(ahead: number): Promise<readonly Report[]> {
    const reports: Report[] = []
    const now = () => Math.floor(Date.now() / 1000) + ahead
    const store = await openPostgresStore({ url, now, report: (each) => reports.push(each) })
    await store.close()
    return reports
  }

  it.each([0, 1, -1])('that is %i s from that of the database is well', async (ahead) => {
    expect(await toldAt(ahead)).toEqual([])
  })

  // Whole seconds, and the time that the answer takes: what is 5 s away can be seen as no more than five, and 3 s as two.
  it.each([3, 5, -3, -5])('that is %i s from it is told of', async (ahead) => {
    expect(await toldAt(ahead)).toMatchObject([{ level: 'warn', event: 'clock_differs' }])
  })

  it.each([
    [7, /^[567]\.\d s ahead of the database$/],
    [-7, /^[567]\.\d s behind the database$/],
    [300, /^(298|299|300)\.\d s ahead of the database$/],
  ])('that is %i s from it is an error, and the seconds are said', async (ahead, seen) => {
    expect(await toldAt(ahead)).toMatchObject([
      { level: 'error', event: 'clock_differs', seen: expect.stringMatching(seen) },
    ])
  })

  it('is looked at again each minute', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const reports: Report[] = []
    let ahead = 0
    const now = () => Math.floor(performance.timeOrigin / 1000 + performance.now() / 1000) + ahead
    const store = await openPostgresStore({ url, now, report: (each) => reports.push(each) })
    onTestFinished(() => store.close())
    expect(reports).toEqual([])
    ahead = 20
    await vi.advanceTimersByTimeAsync(59_000)
    expect(reports).toEqual([])
    await vi.advanceTimersByTimeAsync(1000)
    await expect.poll(() => reports).toMatchObject([{ level: 'error', event: 'clock_differs' }])
  })
})
