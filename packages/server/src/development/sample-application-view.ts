import { renderDocument } from '../pages/document.ts'
import { lookFor } from '../pages/look.ts'
import { html } from '../pages/markup.ts'
import { whoCanSignIn } from './sample-page-view.ts'

/** What the page of the application tells its script. */
export interface ApplicationPage {
  readonly issuer: string
  readonly api: string
  /** Where the script is. */
  readonly script: string
}

/** How the application looks: as the issuer's pages, in English, in a colour of its own. */
export const applicationLook = lookFor({}, { name: 'Sample browser application', accent: '#0b5fa5' })

/** The one page of the application. What it says is all there; the script shows what is true, and fills in what it knows. */
export function renderApplication({ issuer, api, script }: ApplicationPage): string {
  const content = html`
<div id="application" data-issuer="${issuer}" data-api="${api}">
<noscript><p>This page is a script, and there is nothing to see without JavaScript.</p></noscript>
<div id="problem" hidden><div class="alert" role="alert"><span id="problem-text"></span></div></div>
<p id="waiting" role="status" hidden>One moment …</p>
<section id="signed-out" hidden>
<h1>Nobody is signed in</h1>
<p>This page has no back end. It keeps a key in your browser that no script can read, not even its own, and shows with it that its tokens are its own.</p>
<div class="stack"><button class="primary" id="sign-in" type="button">Sign in</button></div>
${whoCanSignIn}
</section>
<section id="signed-in" hidden>
<h1>You are signed in</h1>
<div class="stack">
<div class="panel person"><span class="initial" id="initial" aria-hidden="true"></span><span><b><bdi id="name"></bdi></b><small><bdi id="email"></bdi></small></span></div>
<div class="field"><h2>The key of this browser</h2><p class="small">It cannot be exported. This is its thumbprint:</p><code id="key"></code></div>
<div class="field"><h2>The access token</h2><dl><dt>type</dt><dd><code id="token-type"></code></dd><dt>bound to</dt><dd><code id="token-key"></code></dd><dt>scope</dt><dd><code id="token-scope"></code></dd><dt>until</dt><dd><code id="token-until"></code></dd></dl></div>
<div class="field"><h2>The API, asked by this page</h2><div class="panel"><b id="called" role="status"></b><dl><dt>token</dt><dd id="checks-of-token"></dd><dt>proof</dt><dd id="checks-of-proof"></dd></dl></div></div>
<div class="actions"><button id="call" type="button">Call again</button><button id="renew" type="button">Renew</button></div>
<button id="sign-out" type="button">Sign out</button>
</div>
</section>
</div>
<script type="module" src="${script}"></script>`
  return renderDocument(applicationLook, { title: 'Welcome', content })
}
