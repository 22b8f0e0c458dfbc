import { report, repositoryFiles, textOf } from './files.ts'

const registry = ['registry', 'npmjs'].join('\\.')
const forbidden = [
  { pattern: new RegExp(registry, 'i'), why: 'names a package registry' },
  { pattern: /\bhttps?:\/\/[^\s"'`]*\/-\/[^\s"'`]*\.tgz/, why: 'names the address of a package' },
  { pattern: /(?<![\w.~-])\/(?:work|home|root|Users)\/\w/, why: "names a path of somebody's machine" },
]

/** Nothing in the repository points at one machine or one registry. */
const pointers = repositoryFiles().flatMap((path) =>
  textOf(path)
    .split('\n')
    .flatMap((text, index) =>
      forbidden.filter(({ pattern }) => pattern.test(text)).map(({ why }) => `${path}:${index + 1} ${why}`),
    ),
)

/** A test that runs a program of the machine says so, and so is left out by name where the program is missing. */
const silent = repositoryFiles('.test.ts')
  .filter((path) => {
    const source = textOf(path)
    return /\b(?:exec|spawn)\w*\)?\(\s*['"](?:openssl|curl)['"]/.test(source) && !source.includes('requirePrograms(')
  })
  .map((path) => `${path} runs openssl or curl without requirePrograms of conformance/requires.ts`)

report([...pointers, ...silent], 'No file points at one machine or registry; tests name the programs that they need.')
