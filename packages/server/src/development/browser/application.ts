import { createBrowserSignIn, openKeyStore, type ProofKey, type SignedInHere } from '@holdfast/pop/client'

const { issuer = '', api = '' } = find('application').dataset
const here = `${location.origin}${location.pathname}`
const came = location.href

show('waiting')
// The answer of a sign-in is out of the address before anybody can copy it, or load the page with it again.
history.replaceState(undefined, '', here)
await guarded(async () => {
  const store = await openKeyStore('sample')
  const signIn = createBrowserSignIn({
    issuer,
    client_id: 'browser',
    redirect_uri: here,
    scope: 'openid profile email offline_access api1',
    store,
  })
  onClick('sign-in', async () => location.assign(await signIn.begin()))
  const person = (await signIn.complete(came)) ?? (await signIn.restore())
  if (person) await welcome(person, store.proofKey)
})
if (find('signed-in').hidden) show('signed-out')

async function welcome(person: SignedInHere, key: ProofKey): Promise<void> {
  onClick('call', () => call(person))
  onClick('renew', async () => {
    await person.refresh()
    await look(person)
  })
  onClick('sign-out', async () => location.assign((await person.signOut(here)) ?? here))
  const { name, email, sub } = await person.userinfo()
  const shown = String(name ?? sub)
  write('name', shown)
  write('initial', shown.slice(0, 1).toUpperCase())
  write('email', String(email ?? ''))
  write('key', await thumbprintOf(key))
  await look(person)
  show('signed-in')
}

async function look(person: SignedInHere): Promise<void> {
  await call(person)
  const { token_type, confirmation, scope = '', expires = 0 } = await person.token()
  write('token-type', token_type)
  write('token-key', confirmation?.jkt ?? 'nothing that can be seen')
  write('token-scope', scope)
  write('token-until', timeOf(new Date(expires * 1000)))
}

/** The API says what it has checked. */
async function call(person: SignedInHere): Promise<void> {
  const response = await person.fetch(`${api}/identity`)
  const { verdict } = await response.json()
  const checks = Object.keys(verdict?.checks ?? {})
  const ofProof = (check: string) => /^(proof|replay)/.test(check)
  write('called', `${response.status} ${response.ok ? 'admitted' : 'refused'} at ${timeOf(new Date())}`)
  write('checks-of-token', checks.filter((check) => !ofProof(check)).join(', '))
  write('checks-of-proof', checks.filter(ofProof).join(', ').replaceAll('proof_', ''))
}

/** RFC 7638 §3, of a key of ES256, computed with nothing of the library. */
async function thumbprintOf({ jwk }: ProofKey): Promise<string> {
  const { crv, kty, x, y } = Object.fromEntries(Object.entries(jwk))
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify({ crv, kty, x, y })))
  const text = btoa(String.fromCharCode(...new Uint8Array(digest)))
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** A button that acts keeps the focus, and does nothing else until it has done. */
function onClick(id: string, act: () => unknown): void {
  const button = find(id)
  button.onclick = async () => {
    if (button.ariaDisabled === 'true') return
    button.ariaDisabled = 'true'
    await guarded(act)
    button.ariaDisabled = null
  }
}

/** What goes wrong is said on the page. */
async function guarded(act: () => unknown): Promise<void> {
  find('problem').hidden = true
  try {
    await act()
  } catch (error) {
    write('problem-text', error instanceof Error ? error.message : String(error))
    find('problem').hidden = false
  }
}

function show(section: 'waiting' | 'signed-in' | 'signed-out'): void {
  for (const id of ['waiting', 'signed-in', 'signed-out']) find(id).hidden = id !== section
  const heading = find(section).querySelector('h1')
  if (heading) document.title = `${heading.textContent} · Sample browser application`
  find(section).querySelector('.stack')?.before(find('problem'))
}

function write(id: string, text: string): void {
  find(id).textContent = text
}

function find(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (!found) throw new Error(`The page has no ${id}.`)
  return found
}

function timeOf(moment: Date): string {
  return moment.toLocaleTimeString('en-GB')
}
