import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take longer than ten seconds, and those that mostly wait: the longest first. */
const long = [
  'scripts/fault/kills.test.ts',
  'conformance/chromium/dpop.test.ts',
  'scripts/fault/system-calls.test.ts',
  'conformance/chromium/pages.test.ts',
  'conformance/limits-connections.test.ts',
  'conformance/http-limits.test.ts',
  'cli/serve-postgres.test.ts',
  'cli/dev.test.ts',
  'cli/audit.test.ts',
  'conformance/interop-dpop-clients.test.ts',
  'store/postgres/',
  'conformance/faults-',
  'conformance/deploy.test.ts',
  'conformance/chromium/',
  'conformance/tls-renewal.test.ts',
  'store/sqlite/backup.test.ts',
]

/** The order of test files: none that takes long is left for the end, where nothing else could run beside it. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => rankOf(one) - rankOf(other))
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = long.findIndex((part) => moduleId.includes(part))
  return rank < 0 ? long.length : rank
}
