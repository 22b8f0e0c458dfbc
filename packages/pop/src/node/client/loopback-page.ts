import { hash } from 'node:crypto'

const pages = {
  done: ['You are signed in', 'You can close this window and go back to the application.'],
  failed: ['That did not work', 'The application says why. You can close this window.'],
  unknown: ['This is not the answer that is waited for', 'Go back to the application and begin again.'],
  over: ['This sign-in has come to its end', 'You can close this window.'],
  absent: ['There is nothing here', 'You can close this window.'],
} as const

/** What the browser is told at the end of a sign-in. */
export type LoopbackPage = keyof typeof pages

const style = `:root{color-scheme:light dark;--page:#f3f4f6;--card:#fff;--line:#e1e4e8;--text:#14181d;--muted:#58616c}
@media (prefers-color-scheme:dark){:root{--page:#0d1014;--card:#161a20;--line:#2a3039;--text:#edeff2;--muted:#a4adb8}}
*{box-sizing:border-box}
html{font:100%/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;background:var(--page);color:var(--text)}
body{margin:0;min-height:100vh;display:grid;grid-template-columns:minmax(0,26rem);place-content:center;padding:2rem 1rem}
main{background:var(--card);border:1px solid var(--line);border-radius:1rem;padding:2.25rem}
h1{margin:0;font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.015em}
p{margin:.5rem 0 0;color:var(--muted)}`

/** Headers of these pages: nothing is loaded, kept or told to others, and the connection ends. */
export const loopbackHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${hash('sha256', style, 'base64')}'; frame-ancestors 'none'; base-uri 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  connection: 'close',
}

/** A page without anything from outside. */
export function renderLoopbackPage(page: LoopbackPage): string {
  const [title, text] = pages[page]
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${style}</style>`
  return `<!doctype html><html lang="en"><head>${head}</head><body><main><h1>${title}</h1><p>${text}</p></main></body></html>`
}
