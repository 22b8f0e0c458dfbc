import { z } from 'zod'

const mostUsernameCharacters = 128

/** The most characters of a password. */
export const mostPasswordCharacters = 1024

const text = z.string().min(1).max(1024)
const webAddress = z.url({ protocol: /^https?$/ })
const address = z.strictObject({
  formatted: text.optional(),
  street_address: text.optional(),
  locality: text.optional(),
  region: text.optional(),
  postal_code: text.optional(),
  country: text.optional(),
})

/** Somebody in the settings: OpenID Connect Core §5.1 names for the claims, and ours for the rest. */
export const personSchema = z
  .strictObject({
    username: z
      .string()
      .refine((value) => normalUsername(value) !== undefined, 'must have 1 to 128 characters, none of them a control')
      .describe('What the person types; capital letters and spaces around it do not matter.'),
    password_hash: z
      .string()
      .refine(
        isBearableHash,
        'must be $argon2id$v=19$m=...,t=...,p=...$salt$tag: m at most 262144, t at most 16, p at most 4, 32 bytes of tag',
      )
      .optional()
      .describe('The argon2id hash of the password, in the PHC string format.'),
    password: z
      .string()
      .min(1)
      .max(mostPasswordCharacters)
      .optional()
      .describe('The password in clear: only for an issuer on localhost.'),
    subject: z
      .string()
      .regex(/^(?=.{1,255}$)(?!pair:)[\x21-\x7e]*:[\x21-\x7e]*$/, 'must have a colon, such as user:4711')
      .optional()
      .describe('The sub of the person, for ever. Follows from issuer and username when left out.'),
    upstream: z
      .array(z.strictObject({ issuer: z.string().min(1), sub: z.string().min(1).max(255) }))
      .max(10)
      .default([])
      .describe('Who the person is at other providers.'),
    disabled: z.boolean().default(false).describe('A disabled person cannot sign in.'),
    name: text.optional(),
    given_name: text.optional(),
    family_name: text.optional(),
    middle_name: text.optional(),
    nickname: text.optional(),
    preferred_username: text.optional(),
    profile: webAddress.optional(),
    picture: webAddress.optional(),
    website: webAddress.optional(),
    email: z.email().optional(),
    email_verified: z.boolean().optional(),
    gender: text.optional(),
    birthdate: text.optional(),
    zoneinfo: text.optional(),
    locale: text.optional(),
    phone_number: text.optional(),
    phone_number_verified: z.boolean().optional(),
    address: address.optional(),
    updated_at: z.int().min(0).optional(),
  })
  .refine(hasOneWayIn, {
    path: ['password_hash'],
    message: 'is needed, or password, or upstream: give one of the first two at most',
  })

/** Somebody in the settings. */
export type DirectoryEntry = z.output<typeof personSchema>

/**
 * A user name as it is compared: composed, trimmed, ASCII letters small.
 * @returns undefined for what cannot be one: nothing, too long, control or invisible characters
 */
export function normalUsername(typed: string): string | undefined {
  if (typed.length > mostUsernameCharacters) return undefined
  const name = typed
    .normalize('NFC')
    .trim()
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  return name === '' || name.length > mostUsernameCharacters || /\p{C}/u.test(name) ? undefined : name
}

function hasOneWayIn({
  password,
  password_hash,
  upstream,
}: {
  readonly password?: string | undefined
  readonly password_hash?: string | undefined
  readonly upstream: readonly unknown[]
}): boolean {
  const passwords = [password, password_hash].filter((each) => each !== undefined).length
  return passwords === 1 || (passwords === 0 && upstream.length > 0)
}

const argon2id = /^\$argon2id\$v=19\$m=(\d{1,6}),t=(\d{1,2}),p=(\d)\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{43}$/

/** RFC 9106 §3.1, and what a sign-in may cost. */
function isBearableHash(value: string): boolean {
  const [, memory = 0, passes = 0, lanes = 0] = argon2id.exec(value)?.map(Number) ?? []
  return lanes >= 1 && lanes <= 4 && passes >= 1 && passes <= 16 && memory >= 8 * lanes && memory <= 262_144
}
