import type { Kysely } from 'kysely'

/** Makes the tables for clients, reference tokens, revocations, single uses and signing keys. */
export async function first(db: Kysely<unknown>): Promise<void> {
  const { schema } = db
  await schema
    .createTable('client')
    .addColumn('client_id', 'text', (column) => column.primaryKey().notNull())
    .addColumn('registration', 'text', (column) => column.notNull())
    .execute()

  await schema
    .createTable('reference_token')
    .addColumn('hash', 'text', (column) => column.primaryKey().notNull())
    .addColumn('jti', 'text', (column) => column.notNull())
    .addColumn('client_id', 'text', (column) => column.notNull())
    .addColumn('subject', 'text', (column) => column.notNull())
    .addColumn('scope', 'text', (column) => column.notNull())
    .addColumn('audience', 'text', (column) => column.notNull())
    .addColumn('confirmation', 'text')
    .addColumn('issued', 'bigint', (column) => column.notNull())
    .addColumn('expires', 'bigint', (column) => column.notNull())
    .execute()
  await schema.createIndex('reference_token_client').on('reference_token').column('client_id').execute()
  await schema.createIndex('reference_token_expires').on('reference_token').column('expires').execute()

  await schema
    .createTable('jwt_revocation')
    .addColumn('jti', 'text', (column) => column.primaryKey().notNull())
    .addColumn('expires', 'bigint', (column) => column.notNull())
    .execute()
  await schema.createIndex('jwt_revocation_expires').on('jwt_revocation').column('expires').execute()

  await schema
    .createTable('single_use')
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('expires', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('single_use_once', ['kind', 'key'])
    .execute()
  await schema.createIndex('single_use_expires').on('single_use').column('expires').execute()

  await schema
    .createTable('signing_key')
    .addColumn('kid', 'text', (column) => column.primaryKey().notNull())
    .addColumn('position', 'integer', (column) => column.notNull().unique())
    .addColumn('algorithm', 'text', (column) => column.notNull())
    .addColumn('stage', 'text', (column) => column.notNull())
    .addColumn('public_jwk', 'text', (column) => column.notNull())
    .addColumn('sealed', 'text', (column) => column.notNull())
    .addColumn('created', 'bigint', (column) => column.notNull())
    .addColumn('since', 'bigint')
    .addColumn('expires', 'bigint')
    .execute()
  for (const stage of ['next', 'active']) {
    await schema
      .createIndex(`signing_key_one_${stage}`)
      .unique()
      .on('signing_key')
      .column('algorithm')
      .where('stage' as never, '=', stage)
      .execute()
  }
}
