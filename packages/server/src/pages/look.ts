import { petrol } from './style/palette.ts'
import { stylesheet } from './style/stylesheet.ts'
import { chooseLanguage, type Language, type Words, words } from './words.ts'

/** What the settings say about the pages. */
export interface Branding {
  /** Whose pages these are. */
  readonly name: string
  /** A `data:` URL. */
  readonly logo?: string | undefined
  /** `#rrggbb` */
  readonly accent?: string | undefined
}

/** How pages look to one reader, and what language they speak. */
export interface Look {
  readonly language: Language
  readonly words: Words
  readonly name: string
  readonly logo: string | undefined
  readonly style: string
}

/** What is known of the reader. */
export interface Reader {
  /** `ui_locales` of the request. */
  readonly uiLocales?: readonly string[]
  /** The header, as it came. */
  readonly acceptLanguage?: string | undefined
}

/** The look of the pages for a reader. */
export function lookFor({ uiLocales = [], acceptLanguage }: Reader, branding: Branding): Look {
  const { name, logo } = branding
  const language = chooseLanguage(uiLocales, acceptLanguage)
  return { language, words: words[language], name, logo, style: styleOf(branding) }
}

const styles = new WeakMap<Branding, string>()

/** Made once for the settings: to find readable colours takes a millisecond. */
function styleOf(branding: Branding): string {
  const known = styles.get(branding)
  if (known !== undefined) return known
  const style = stylesheet(branding.accent ?? petrol)
  styles.set(branding, style)
  return style
}
