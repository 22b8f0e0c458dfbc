import { defineConfig } from 'vitest/config'
import { findPostgres } from './conformance/postgres-server.ts'
import { LongestFirst } from './scripts/longest-first.ts'

/** The tests of the store's verbs, which run on each database. */
const verbs = ['packages/server/src/store/verbs/*.test.ts']

const postgres = {
  extends: true as const,
  test: {
    name: 'postgres',
    include: verbs,
    globalSetup: 'conformance/postgres-project.ts',
  },
}

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'holdfast',
          include: [
            'packages/*/src/**/*.test.ts',
            'conformance/**/*.test.ts',
            'examples/**/*.test.ts',
            'scripts/**/*.test.ts',
          ],
        },
      },
      ...(findPostgres() === undefined ? [] : [postgres]),
    ],
    experimental: { viteModuleRunner: false },
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
})
