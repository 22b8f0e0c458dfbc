/** The colours of one theme, as `#rrggbb`. */
export interface Palette {
  readonly page: string
  readonly card: string
  /** Beside what the card says: who is signed in, a code. */
  readonly inset: string
  readonly text: string
  readonly muted: string
  /** Separates; carries no meaning. */
  readonly line: string
  /** The edge of a field. */
  readonly edge: string
  readonly accent: string
  readonly onAccent: string
  readonly danger: string
  readonly dangerBack: string
}

/** Pairs that are read, and the contrast that WCAG 2.2 AA asks of them (1.4.3 and 1.4.11). */
export const contrasts: readonly (readonly [keyof Palette, keyof Palette, number])[] = [
  ['text', 'page', 4.5],
  ['text', 'card', 4.5],
  ['text', 'inset', 4.5],
  ['muted', 'page', 4.5],
  ['muted', 'card', 4.5],
  ['muted', 'inset', 4.5],
  ['accent', 'page', 4.5],
  ['accent', 'card', 4.5],
  ['accent', 'inset', 4.5],
  ['onAccent', 'accent', 4.5],
  ['danger', 'card', 4.5],
  ['danger', 'dangerBack', 4.5],
  ['edge', 'card', 3],
]

const neutralLight = {
  page: '#f3f4f6',
  card: '#ffffff',
  inset: '#f7f8f9',
  text: '#14181d',
  muted: '#58616c',
  line: '#e1e4e8',
  edge: '#868e99',
  onAccent: '#ffffff',
  danger: '#a61b1b',
  dangerBack: '#fdf0ef',
} as const

const neutralDark = {
  page: '#0d1014',
  card: '#161a20',
  inset: '#1d222a',
  text: '#edeff2',
  muted: '#a4adb8',
  line: '#2a3039',
  edge: '#727c89',
  onAccent: '#10141a',
  danger: '#ffb3ab',
  dangerBack: '#351a1b',
} as const

/** The default of `pages.accent`. */
export const petrol = '#0b5d6b'

/** Both themes around one colour, which is darkened or lightened until it can be read. */
export function paletteOf(accent: string): { readonly light: Palette; readonly dark: Palette } {
  return {
    light: { ...neutralLight, accent: readable(accent, neutralLight, '#000000') },
    dark: { ...neutralDark, accent: readable(accent, neutralDark, '#ffffff') },
  }
}

/** The ratio of two colours, from 1 to 21. WCAG 2.2. */
export function contrastOf(one: string, other: string): number {
  const [lighter = 0, darker = 0] = [luminanceOf(one), luminanceOf(other)].toSorted((a, b) => b - a)
  return (lighter + 0.05) / (darker + 0.05)
}

function readable(accent: string, theme: Omit<Palette, 'accent'>, towards: string): string {
  const steps = Array.from({ length: 51 }, (_, step) => mix(accent, towards, step / 50))
  const isReadable = (colour: string) =>
    contrasts
      .filter((pair) => pair[0] === 'accent' || pair[1] === 'accent')
      .every(([front, back, least]) => {
        const palette = { ...theme, accent: colour }
        return contrastOf(palette[front], palette[back]) >= least
      })
  return steps.find(isReadable) ?? towards
}

function mix(from: string, to: string, part: number): string {
  const ends = channelsOf(to)
  const mixed = channelsOf(from).map((channel, index) => Math.round(channel + ((ends[index] ?? 0) - channel) * part))
  return `#${mixed.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`
}

function luminanceOf(colour: string): number {
  const [red = 0, green = 0, blue = 0] = channelsOf(colour)
    .map((channel) => channel / 255)
    .map((channel) => (channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4))
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function channelsOf(colour: string): readonly number[] {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
}
