import type { ColumnDefinitionBuilder, Kysely } from 'kysely'

/** Makes the audit log, the counts that nodes share, and the place of the server's secret. */
export async function operations({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('audit')
    .addColumn('node', 'text', required)
    .addColumn('number', 'bigint', required)
    .addColumn('time', 'bigint', required)
    .addColumn('event', 'text', required)
    .addColumn('entry', 'text', required)
    .addColumn('mac', 'text', required)
    .addPrimaryKeyConstraint('audit_link', ['node', 'number'])
    .execute()
  await schema
    .createTable('audit_head')
    .addColumn('node', 'text', (column) => column.primaryKey().notNull())
    .addColumn('number', 'bigint', required)
    .addColumn('mac', 'text', required)
    .addColumn('seal', 'text', required)
    .execute()
  await schema
    .createTable('attempt')
    .addColumn('key', 'text', (column) => column.primaryKey().notNull())
    .addColumn('count', 'bigint', required)
    .addColumn('until', 'bigint', required)
    .execute()
  await schema.createIndex('attempt_until').on('attempt').column('until').execute()
  await schema.alterTable('state').addColumn('secret', 'text').execute()
}

function required(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder {
  return column.notNull()
}
