import { type Ask, decision, whoAndWhat } from './consent.ts'
import { alert, type Form, form, renderDocument } from './document.ts'
import type { Look } from './look.ts'
import { foreign, html, plain } from './markup.ts'

/** The page that asks for a device's code; its form sends `user_code`. RFC 8628 §3.3. */
export interface DeviceEntryPage extends Form {
  /** Filled in. */
  readonly userCode?: string | undefined
  readonly problem?: 'unknown' | 'exhausted' | undefined
}

/** Asks for the code that a device shows. */
export function renderDeviceEntry(page: DeviceEntryPage, look: Look): string {
  const { userCode = '', problem } = page
  const { device, errorTitle } = look.words
  const content = html`
<h1>${device.title}</h1>
<p>${device.enter}</p>
${alert(problem && device[problem])}
${form(
  page,
  html`
<div class="field"><label for="user_code">${device.code}</label>
<input class="code" id="user_code" name="user_code" value="${plain(userCode, 32)}" autocomplete="off" autocapitalize="characters" autocorrect="off" spellcheck="false" required maxlength="32" autofocus${problem !== undefined && html` aria-describedby="problem" aria-invalid="true"`}></div>
<button class="primary">${device.submit}</button>`,
)}`
  return renderDocument(look, { title: problem ? errorTitle(device.title) : device.title, content })
}

/** The page that shows what a device asks for; its form sends `decision`: `allow`, `deny` or `switch`. */
export interface DeviceConfirmPage extends Form, Ask {
  /** As the device shows it. RFC 8628 §5.4. */
  readonly userCode: string
}

/** Asks whether the device, which must show the code too, may have what it asks for. */
export function renderDeviceConfirm(page: DeviceConfirmPage, look: Look): string {
  const { device, consent } = look.words
  const content = html`
<h1>${consent.heading(foreign(page.client))}</h1>
${form(
  page,
  html`
<section><h2>${device.check}</h2><p class="code">${plain(page.userCode, 32)}</p></section>
${whoAndWhat(page, look)}
<p class="small">${device.warning}</p>${decision(look)}`,
)}`
  return renderDocument(look, { title: consent.title(plain(page.client)), content })
}

/** Says that the device has its answer. */
export function renderDeviceDone({ outcome }: { readonly outcome: 'approved' | 'denied' }, look: Look): string {
  const { device } = look.words
  const content = html`
${outcome === 'approved' && html`<div class="done" aria-hidden="true"></div>`}
<h1>${device[outcome]}</h1>
<p>${device.goBack}</p>`
  return renderDocument(look, { title: device[outcome], content })
}
