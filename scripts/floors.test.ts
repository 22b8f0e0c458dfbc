import { describe, expect, it } from 'vitest'
import { breaches } from './floors.ts'

const published = new Map([
  ['@holdfast/pop', new Set(['.', './client', './testing'])],
  ['holdfast', new Set(['.'])],
])

function judge(path: string, source: string): readonly string[] {
  return breaches(new Map([[path, source]]), published)
}

describe('the floors', () => {
  it('let a file import its own folder and the floors below', () => {
    const source = "import { a } from './possession.ts'\nimport type { B } from '../oauth/refusal.ts'"
    expect(judge('packages/pop/src/proof/confirmation.ts', source)).toEqual([])
  })

  it.each([
    ['up', 'packages/pop/src/oauth/x.ts', "import { a } from '../proof/y.ts'"],
    ['up, for a type only', 'packages/pop/src/oauth/x.ts', "import type { A } from '../proof/y.ts'"],
    ['up, for a type in place', 'packages/pop/src/oauth/x.ts', "type A = import('../proof/y.ts').A"],
    ['up, to pass on', 'packages/pop/src/oauth/x.ts', "export * from '../proof/y.ts'"],
    ['up, over several lines', 'packages/pop/src/oauth/x.ts', "import {\n  a,\n  b,\n} from '../proof/y.ts'"],
    ['the other role', 'packages/pop/src/client/x.ts', "import { a } from '../resource/y.ts'"],
    ['the other role below', 'packages/pop/src/node/client/x.ts', "import { a } from '../../resource/y.ts'"],
    ['an adapter beside it', 'packages/server/src/store/x.ts', "import { a } from '../http/y.ts'"],
    ['the protocol from the store', 'packages/server/src/store/x.ts', "import { a } from '../grants/y.ts'"],
    ['a step beside it', 'packages/server/src/tokens/x.ts', "import { a } from '../possession/y.ts'"],
    ['a folder without a floor', 'packages/server/src/http/x.ts', "import { a } from '../helpers/y.ts'"],
    ['the inside of another package', 'packages/server/src/http/x.ts', "import { a } from '../../../pop/src/index.ts'"],
    ['a subpath that is not published', 'packages/server/src/http/x.ts', "import { a } from '@holdfast/pop/proof'"],
    ['a package above', 'packages/pop/src/client/x.ts', "import { a } from 'holdfast'"],
    ['a dependency that is not its own', 'packages/pop/src/proof/x.ts', "import { a } from 'jose'"],
    ['a framework below the adapters', 'packages/server/src/grants/x.ts', "import { a } from 'fastify'"],
    ['Node below the adapters', 'packages/server/src/grants/x.ts', "import { a } from 'node:fs'"],
    ['our inside from an example', 'examples/x.ts', "import { a } from '../packages/pop/src/index.ts'"],
  ])('refuse an import of %s', (_, path, source) => {
    expect(judge(path, source)).toHaveLength(1)
  })

  it.each(['Date.now()', 'new Date()', 'process.env.HOME', 'fetch(url)', 'crypto.randomUUID()'])(
    'refuse %s below the adapters',
    (call) => {
      expect(judge('packages/server/src/grants/x.ts', `export const a = () => ${call}`)).toHaveLength(1)
      expect(judge('packages/server/src/http/x.ts', `export const a = () => ${call}`)).toEqual([])
    },
  )

  it('let the door of a pure folder offer the platform', () => {
    const source = 'export const now = () => Date.now()'
    expect(judge('packages/pop/src/client/context.ts', source)).toEqual([])
    expect(judge('packages/pop/src/client/tokens.ts', source)).toHaveLength(1)
  })

  it("tell a fetch that arrived from the platform's own", () => {
    expect(judge('packages/pop/src/client/x.ts', 'export const a = ({ fetch }: C) => fetch(url)')).toEqual([])
    expect(judge('packages/pop/src/client/x.ts', 'export const a = (url: URL) => fetch(url)')).toHaveLength(1)
  })

  it('overlook what only a comment says', () => {
    expect(judge('packages/pop/src/oauth/x.ts', "// from '../proof/y.ts'\n/* Date.now() */")).toEqual([])
  })

  it('leave tests free within the repository', () => {
    expect(judge('packages/pop/src/oauth/x.test.ts', "import { a } from '../testing/y.ts'")).toEqual([])
    const needs = "import { requirePrograms } from '../../../../conformance/requires.ts'"
    expect(judge('packages/pop/src/oauth/x.test.ts', needs)).toEqual([])
    expect(judge('packages/pop/src/oauth/x.ts', needs)).toHaveLength(1)
  })
})
