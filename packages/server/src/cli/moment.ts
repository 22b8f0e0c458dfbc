import type { Seconds } from '@holdfast/pop'

/** The present moment of this machine. */
export function systemNow(): Seconds {
  return Math.floor(Date.now() / 1000)
}

/** A moment for people: `2026-11-22 12:00:00Z, in 59 min`. */
export function renderMoment(moment: Seconds, now: Seconds = systemNow()): string {
  const date = new Date(moment * 1000)
  if (Number.isNaN(date.getTime())) return `${moment}, which is no moment`
  return `${date.toISOString().replace('T', ' ').replace('.000Z', 'Z')}, ${renderDistance(moment - now)}`
}

/** A length of time, as seen from now: `in 59 min`, `3 h ago`. */
export function renderDistance(length: Seconds): string {
  if (length === 0) return 'now'
  const text = renderLength(Math.abs(length))
  return length < 0 ? `${text} ago` : `in ${text}`
}

function renderLength(length: Seconds): string {
  if (length < 120) return `${Math.round(length)} s`
  if (length < 7200) return `${Math.floor(length / 60)} min`
  if (length < 2 * 86_400) return `${Math.floor(length / 3600)} h`
  return `${Math.floor(length / 86_400)} days`
}
