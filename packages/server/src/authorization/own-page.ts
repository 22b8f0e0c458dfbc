import { type Inbound, type Parameters, parseParameters, Refused } from '@holdfast/pop'

/**
 * Takes the form of a page of ours, sent by that page. Browsers say whence a form comes in `Sec-Fetch-Site`; older ones
 * in `Origin`, which is `null` as our pages send no referrer. RFC 9700 §4.7, Fetch §3.2.
 * @param fields all that the page's form has
 * @throws {@link Refused} `page_from_elsewhere`, `page_form_altered`
 */
export function formOfOwnPage({ headers, url, form = [] }: Inbound, fields: readonly string[]): Parameters {
  const sites = headers['sec-fetch-site'] ?? []
  const origins = headers.origin ?? []
  const { origin } = new URL(url)
  if (!sites.every((site) => site === 'same-origin' || site === 'none')) throw new Refused('page_from_elsewhere')
  if (!origins.every((each) => each === origin || each === 'null')) throw new Refused('page_from_elsewhere')
  if (url.includes('?') || !form.every(([name]) => fields.includes(name))) throw new Refused('page_form_altered')
  return parseParameters(form, [])
}
