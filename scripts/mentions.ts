import { report, repositoryFiles, textOf } from './files.ts'

const registry = ['registry', 'npmjs'].join('.')
const forbidden = [
  { pattern: new RegExp(registry.replace('.', '\\.'), 'i'), why: 'names a package registry' },
  { pattern: /\bhttps?:\/\/[^\s"'`]*\/-\/[^\s"'`]*\.tgz/, why: 'names the address of a package' },
  { pattern: /(?<![\w.~-])\/(?:work|home|root|Users)\/\w/, why: "names a path of somebody's machine" },
]

/** Nothing in the repository points at one machine or one registry. */
const problems = repositoryFiles().flatMap((path) =>
  textOf(path)
    .split('\n')
    .flatMap((text, index) =>
      forbidden.filter(({ pattern }) => pattern.test(text)).map(({ why }) => `${path}:${index + 1} ${why}`),
    ),
)
report(problems, 'No file names a registry or a path of this machine.')
