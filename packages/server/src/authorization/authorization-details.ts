import { isJsonObject, isStringArray, type JsonObject, parseJsonValue, Refused } from '@holdfast/pop'
import { z } from 'zod'
import type { Client } from '../model/client.ts'
import { isReadable } from '../pages/asks.ts'
import type { Settings } from '../settings.ts'

const longestText = 8192
const mostDetails = 20

/**
 * Parses what a request asks for beyond scopes: each object is of a type that the settings describe and the client may
 * use, valid for it, and no more than people can be shown. RFC 9396 §2, §5.
 * @throws {@link Refused} `authorization_details_malformed`, `authorization_details_type`, `authorization_details_invalid`
 */
export function parseAuthorizationDetails(
  text: string | undefined,
  { authorization_details_types: allowed }: Client,
  { authorizationDetails: types }: Pick<Settings, 'authorizationDetails'>,
): readonly JsonObject[] {
  if (text === undefined) return []
  const details = parseList(text)
  for (const detail of details) {
    const type = allowed.find((each) => each === detail.type)
    const known = type !== undefined && Object.hasOwn(types, type) ? types[type] : undefined
    if (!known) throw new Refused('authorization_details_type')
    if (
      !hasCommonForm(detail) ||
      !isReadable(detail) ||
      (known.schema && !validatorOf(known.schema).safeParse(detail).success)
    )
      throw new Refused('authorization_details_invalid')
  }
  return details
}

function parseList(text: string): readonly JsonObject[] {
  const value = text.length <= longestText ? parseJsonValue(text) : undefined
  if (!Array.isArray(value) || value.length < 1 || value.length > mostDetails || !value.every(isJsonObject))
    throw new Refused('authorization_details_malformed')
  return value
}

/** The members that RFC 9396 §2.2 defines for all types. */
function hasCommonForm({ identifier, ...detail }: JsonObject): boolean {
  const lists = ['locations', 'actions', 'datatypes', 'privileges']
  return (
    (identifier === undefined || typeof identifier === 'string') &&
    lists.every((name) => detail[name] === undefined || isStringArray(detail[name]))
  )
}

const validators = new WeakMap<object, z.ZodType>()

function validatorOf(schema: JsonObject): z.ZodType {
  const known = validators.get(schema)
  if (known) return known
  const made = z.fromJSONSchema(schema)
  validators.set(schema, made)
  return made
}
