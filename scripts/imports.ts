/** What a module asks another file for. */
export interface Import {
  readonly specifier: string
  readonly line: number
}

const patterns = [
  /\b(?:import|export)\b[^'"`;()]*?\bfrom\s*(['"])([^'"\n]+)\1/g,
  /\bimport\s*(['"])([^'"\n]+)\1/g,
  /\bimport\s*\(\s*(['"])([^'"\n]+)\1/g,
  /\bimport\.meta\.resolve\(\s*(['"])([^'"\n]+)\1/g,
]

/** All imports of a module: of values and of types, static and dynamic, and what it resolves through `import.meta`. */
export function importsOf(source: string): readonly Import[] {
  const code = withoutComments(source)
  return patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => ({ specifier: match[2] ?? '', line: lineAt(code, match.index) })),
  )
}

/** The source with its comments blanked; lines stay where they are. */
export function withoutComments(source: string): string {
  return source.replace(
    /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (text) => (text.startsWith('/') ? text.replace(/[^\n]/g, ' ') : text),
  )
}

/** The number, from one, of the line that has this place. */
export function lineAt(text: string, place: number): number {
  return text.slice(0, place).split('\n').length
}
