import type { ColumnDefinitionBuilder, Kysely } from 'kysely'

/** Makes the tables for what people allow: from the pushed request and its flow to codes and refresh tokens. */
export async function people(db: Kysely<unknown>): Promise<void> {
  await makeWayThroughPages(db)
  await makeAuthorizations(db)
  await makeDevices(db)
  await extendReferenceTokens(db)
}

async function makeWayThroughPages({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('pushed_request')
    .addColumn('hash', 'text', key)
    .addColumn('client_id', 'text', required)
    .addColumn('request', 'text', required)
    .addColumn('expires', 'bigint', required)
    .execute()
  await schema.createIndex('pushed_request_client').on('pushed_request').column('client_id').execute()
  await schema.createIndex('pushed_request_expires').on('pushed_request').column('expires').execute()

  await schema
    .createTable('flow')
    .addColumn('hash', 'text', key)
    .addColumn('browser', 'text', required)
    .addColumn('client_id', 'text', required)
    .addColumn('request', 'text', required)
    .addColumn('pushed_request', 'text')
    .addColumn('created', 'bigint', required)
    .addColumn('expires', 'bigint', required)
    .execute()
  await schema.createIndex('flow_client').on('flow').column('client_id').execute()
  await schema.createIndex('flow_pushed_request').on('flow').column('pushed_request').execute()
  await schema.createIndex('flow_expires').on('flow').column('expires').execute()

  await schema
    .createTable('session')
    .addColumn('hash', 'text', key)
    .addColumn('sid', 'text', required)
    .addColumn('subject', 'text', required)
    .addColumn('authenticated', 'bigint', required)
    .addColumn('methods', 'text', required)
    .addColumn('expires', 'bigint', required)
    .execute()
  await schema.createIndex('session_expires').on('session').column('expires').execute()

  await schema
    .createTable('consent')
    .addColumn('subject', 'text', required)
    .addColumn('client_id', 'text', required)
    .addColumn('scope', 'text', required)
    .addPrimaryKeyConstraint('consent_once', ['subject', 'client_id'])
    .execute()
  await schema.createIndex('consent_client').on('consent').column('client_id').execute()
}

async function makeAuthorizations({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('authorization')
    .addColumn('id', 'text', key)
    .addColumn('client_id', 'text', required)
    .addColumn('subject', 'text', required)
    .addColumn('scope', 'text', required)
    .addColumn('resources', 'text', required)
    .addColumn('authorization_details', 'text', required)
    .addColumn('sid', 'text')
    .addColumn('authenticated', 'bigint', required)
    .addColumn('methods', 'text', required)
    .addColumn('nonce', 'text')
    .addColumn('created', 'bigint', required)
    .addColumn('expires', 'bigint', required)
    .addColumn('revoked', 'bigint')
    .execute()
  await schema.createIndex('authorization_client').on('authorization').column('client_id').execute()
  await schema.createIndex('authorization_expires').on('authorization').column('expires').execute()

  await schema
    .createTable('code')
    .addColumn('hash', 'text', key)
    .addColumn('authorization_id', 'text', required)
    .addColumn('client_id', 'text', required)
    .addColumn('redirect_uri', 'text', required)
    .addColumn('redirect_uri_given', 'integer', required)
    .addColumn('code_challenge', 'text', required)
    .addColumn('binding', 'text')
    .addColumn('expires', 'bigint', required)
    .addColumn('redeemed', 'bigint')
    .execute()
  await schema.createIndex('code_authorization').on('code').column('authorization_id').execute()
  await schema.createIndex('code_client').on('code').column('client_id').execute()
  await schema.createIndex('code_expires').on('code').column('expires').execute()

  await schema
    .createTable('refresh_token')
    .addColumn('hash', 'text', key)
    .addColumn('authorization_id', 'text', required)
    .addColumn('client_id', 'text', required)
    .addColumn('holder', 'text', required)
    .addColumn('binding', 'text')
    .addColumn('began_bound', 'integer', required)
    .addColumn('generation', 'integer', required)
    .addColumn('created', 'bigint', required)
    .addColumn('expires', 'bigint', required)
    .addColumn('replaced', 'bigint')
    .addUniqueConstraint('refresh_token_generation', ['authorization_id', 'generation'])
    .execute()
  await schema.createIndex('refresh_token_client').on('refresh_token').column('client_id').execute()
  await schema.createIndex('refresh_token_expires').on('refresh_token').column('expires').execute()
}

async function makeDevices({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('device_authorization')
    .addColumn('hash', 'text', key)
    .addColumn('user_code_hash', 'text', (column) => column.notNull().unique())
    .addColumn('client_id', 'text', required)
    .addColumn('scope', 'text', required)
    .addColumn('resources', 'text', required)
    .addColumn('binding', 'text')
    .addColumn('created', 'bigint', required)
    .addColumn('expires', 'bigint', required)
    .addColumn('stage', 'text', required)
    .addColumn('authorization_id', 'text')
    .addColumn('polled', 'bigint')
    .addColumn('polled_before', 'bigint')
    .execute()
  const on = (name: string) => schema.createIndex(`device_authorization_${name}`).on('device_authorization')
  await on('authorization').column('authorization_id').execute()
  await on('client').column('client_id').execute()
  await on('expires').column('expires').execute()
}

async function extendReferenceTokens({ schema }: Kysely<unknown>): Promise<void> {
  await schema.alterTable('reference_token').addColumn('authorization_id', 'text').execute()
  await schema.alterTable('reference_token').addColumn('actor', 'text').execute()
  await schema.createIndex('reference_token_authorization').on('reference_token').column('authorization_id').execute()
}

function required(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.notNull()
}

function key(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.primaryKey().notNull()
}
