import { type Html, html } from './markup.ts'

/** The languages of the pages, the first one for everybody else. */
export const languages = ['en', 'de'] as const

/** A language of the pages. */
export type Language = (typeof languages)[number]

/** Everything that the pages say. */
export interface Words {
  readonly errorTitle: (title: string) => string
  readonly signIn: {
    readonly title: string
    readonly toContinue: (client: Html) => Html
    readonly again: (person: Html) => Html
    readonly username: string
    readonly password: string
    readonly submit: string
    readonly or: string
    readonly with: (provider: Html) => Html
    readonly wrong: string
    readonly exhausted: string
    readonly busy: string
    readonly expired: string
  }
  readonly accounts: {
    readonly title: string
    readonly toContinue: (client: Html) => Html
    readonly other: string
  }
  readonly consent: {
    readonly title: (client: string) => string
    readonly heading: (client: Html) => Html
    readonly signedInAs: string
    readonly switchAccount: string
    readonly willBeAble: string
    readonly signInOnly: string
    readonly details: string
    readonly yes: string
    readonly no: string
    readonly allow: string
    readonly deny: string
    readonly returnTo: (destination: Html) => Html
    readonly ownApp: string
  }
  readonly scopes: Readonly<Record<'openid' | 'profile' | 'email' | 'address' | 'phone' | 'offline_access', string>>
  readonly device: {
    readonly title: string
    readonly enter: string
    readonly code: string
    readonly submit: string
    readonly unknown: string
    readonly exhausted: string
    readonly check: string
    readonly warning: string
    readonly approved: string
    readonly denied: string
    readonly goBack: string
  }
  readonly signOut: {
    readonly title: string
    readonly ask: (person: Html) => Html
    readonly submit: string
    readonly stay: string
    readonly done: string
    readonly doneText: string
    readonly goTo: (client: Html) => Html
  }
  readonly error: {
    readonly title: string
    readonly text: string
    readonly unavailableTitle: string
    readonly unavailableText: string
    readonly forDevelopers: string
  }
  readonly formPost: {
    readonly title: string
    readonly text: string
    readonly submit: string
  }
}

const en: Words = {
  errorTitle: (title) => `Error: ${title}`,
  signIn: {
    title: 'Sign in',
    toContinue: (client) => html`to continue to ${client}`,
    again: (person) => html`Please confirm that it is you, ${person}.`,
    username: 'Username',
    password: 'Password',
    submit: 'Sign in',
    or: 'or',
    with: (provider) => html`Continue with ${provider}`,
    wrong: 'Username or password is wrong.',
    exhausted: 'Too many failed attempts. Wait a few minutes, then try again.',
    busy: 'Too many people are signing in right now. Try again in a moment.',
    expired: 'This page was open for too long. Sign in once more.',
  },
  accounts: {
    title: 'Choose an account',
    toContinue: (client) => html`to continue to ${client}`,
    other: 'Use another account',
  },
  consent: {
    title: (client) => `Access for ${client}`,
    heading: (client) => html`${client} asks for access`,
    signedInAs: 'Signed in as',
    switchAccount: 'Switch account',
    willBeAble: 'It would be able to:',
    signInOnly: 'It asks for nothing but your sign-in.',
    details: 'In particular:',
    yes: 'yes',
    no: 'no',
    allow: 'Allow',
    deny: 'Deny',
    returnTo: (destination) => html`You then return to ${destination}.`,
    ownApp: 'an app on this device',
  },
  scopes: {
    openid: 'Know who you are',
    profile: 'See your name and profile',
    email: 'See your e-mail address',
    address: 'See your postal address',
    phone: 'See your phone number',
    offline_access: 'Keep this access while you are away',
  },
  device: {
    title: 'Connect a device',
    enter: 'Enter the code that your device shows.',
    code: 'Code',
    submit: 'Continue',
    unknown: 'There is no such code, or it has expired. Check it on your device.',
    exhausted: 'Too many wrong codes. Wait a few minutes, then try again.',
    check: 'Your device must show this code:',
    warning: 'Allow this only if you started it yourself. Nobody from support will ever ask you for it.',
    approved: 'Device connected',
    denied: 'Access denied',
    goBack: 'You can close this page and go back to your device.',
  },
  signOut: {
    title: 'Sign out?',
    ask: (person) => html`You are signed in as ${person}.`,
    submit: 'Sign out',
    stay: 'Stay signed in',
    done: 'You are signed out',
    doneText: 'You can close this page.',
    goTo: (client) => html`Go to ${client}`,
  },
  error: {
    title: 'This did not work',
    text: 'The request that brought you here cannot be answered. Go back to the application and start again.',
    unavailableTitle: 'Not available right now',
    unavailableText: 'Something is out of order here. Try again in a moment.',
    forDevelopers: 'For developers',
  },
  formPost: {
    title: 'One moment',
    text: 'You are being returned to the application. If nothing happens, continue yourself.',
    submit: 'Continue',
  },
}

const de: Words = {
  errorTitle: (title) => `Fehler: ${title}`,
  signIn: {
    title: 'Anmelden',
    toContinue: (client) => html`weiter zu ${client}`,
    again: (person) => html`Bitte bestätigen Sie, dass Sie es sind, ${person}.`,
    username: 'Benutzername',
    password: 'Passwort',
    submit: 'Anmelden',
    or: 'oder',
    with: (provider) => html`Weiter mit ${provider}`,
    wrong: 'Benutzername oder Passwort ist falsch.',
    exhausted: 'Zu viele Fehlversuche. Warten Sie einige Minuten und versuchen Sie es dann erneut.',
    busy: 'Gerade melden sich zu viele Personen an. Versuchen Sie es gleich noch einmal.',
    expired: 'Diese Seite war zu lange offen. Melden Sie sich noch einmal an.',
  },
  accounts: {
    title: 'Konto auswählen',
    toContinue: (client) => html`weiter zu ${client}`,
    other: 'Anderes Konto verwenden',
  },
  consent: {
    title: (client) => `Zugriff für ${client}`,
    heading: (client) => html`${client} bittet um Zugriff`,
    signedInAs: 'Angemeldet als',
    switchAccount: 'Konto wechseln',
    willBeAble: 'Die Anwendung könnte dann:',
    signInOnly: 'Die Anwendung möchte nichts außer Ihrer Anmeldung.',
    details: 'Im Einzelnen:',
    yes: 'ja',
    no: 'nein',
    allow: 'Erlauben',
    deny: 'Ablehnen',
    returnTo: (destination) => html`Danach kehren Sie zurück zu ${destination}.`,
    ownApp: 'einer App auf diesem Gerät',
  },
  scopes: {
    openid: 'Erfahren, wer Sie sind',
    profile: 'Ihren Namen und Ihr Profil sehen',
    email: 'Ihre E-Mail-Adresse sehen',
    address: 'Ihre Postanschrift sehen',
    phone: 'Ihre Telefonnummer sehen',
    offline_access: 'Diesen Zugriff behalten, auch wenn Sie nicht da sind',
  },
  device: {
    title: 'Gerät verbinden',
    enter: 'Geben Sie den Code ein, den Ihr Gerät anzeigt.',
    code: 'Code',
    submit: 'Weiter',
    unknown: 'Diesen Code gibt es nicht, oder er ist abgelaufen. Prüfen Sie ihn auf Ihrem Gerät.',
    exhausted: 'Zu viele falsche Codes. Warten Sie einige Minuten und versuchen Sie es dann erneut.',
    check: 'Ihr Gerät muss diesen Code anzeigen:',
    warning: 'Erlauben Sie das nur, wenn Sie es selbst begonnen haben. Kein Support wird Sie je darum bitten.',
    approved: 'Gerät verbunden',
    denied: 'Zugriff abgelehnt',
    goBack: 'Sie können diese Seite schließen und zu Ihrem Gerät zurückkehren.',
  },
  signOut: {
    title: 'Abmelden?',
    ask: (person) => html`Sie sind angemeldet als ${person}.`,
    submit: 'Abmelden',
    stay: 'Angemeldet bleiben',
    done: 'Sie sind abgemeldet',
    doneText: 'Sie können diese Seite schließen.',
    goTo: (client) => html`Weiter zu ${client}`,
  },
  error: {
    title: 'Das hat nicht geklappt',
    text: 'Die Anfrage, die Sie hierher geführt hat, kann nicht beantwortet werden. Gehen Sie zurück zur Anwendung und beginnen Sie noch einmal.',
    unavailableTitle: 'Gerade nicht verfügbar',
    unavailableText: 'Hier ist etwas gestört. Versuchen Sie es gleich noch einmal.',
    forDevelopers: 'Für die Entwicklung',
  },
  formPost: {
    title: 'Einen Moment',
    text: 'Sie kehren zur Anwendung zurück. Wenn nichts geschieht, gehen Sie selbst weiter.',
    submit: 'Weiter',
  },
}

/** The words of each language. */
export const words: Readonly<Record<Language, Words>> = { en, de }

/**
 * The language to answer in: the first of `ui_locales` that there is, else the browser's favourite, else English.
 * @param acceptLanguage the header as it came. RFC 9110 §12.5.4
 */
export function chooseLanguage(uiLocales: readonly string[], acceptLanguage = ''): Language {
  return [...uiLocales, ...preferred(acceptLanguage)].map(languageOf).find((found) => found !== undefined) ?? 'en'
}

function languageOf(tag: string): Language | undefined {
  const [primary = ''] = tag.toLowerCase().split('-')
  return languages.find((language) => language === primary)
}

function preferred(header: string): readonly string[] {
  return header
    .slice(0, 1024)
    .split(',')
    .map((range) => {
      const [tag = '', ...parameters] = range.split(';').map((part) => part.trim())
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
      return { tag, weight: weight === undefined ? 1 : Number(weight) }
    })
    .filter(({ weight }) => weight > 0)
    .toSorted((a, b) => b.weight - a.weight)
    .map(({ tag }) => tag)
}
