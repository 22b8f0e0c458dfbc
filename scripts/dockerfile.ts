/** A line of a Dockerfile, its continuations joined. */
export interface Instruction {
  readonly name: string
  readonly argument: string
}

/** The instructions after a `FROM`, and what it names. */
export interface Stage {
  readonly base: string
  readonly name: string | undefined
  readonly instructions: readonly Instruction[]
}

/** Reads what a Dockerfile does, stage by stage. */
export function parseDockerfile(text: string): readonly Stage[] {
  const joined = text.replace(/\\\n\s*/g, '')
  const lines = joined.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const stages: { base: string; name: string | undefined; instructions: Instruction[] }[] = []
  for (const line of lines) {
    const [, name = '', argument = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    if (name === '') throw new Error(`is no instruction: ${line}`)
    if (name === 'FROM') {
      const [, base = '', alias] = /^(\S+)(?: AS (\S+))?$/.exec(argument) ?? []
      stages.push({ base, name: alias, instructions: [] })
    } else {
      stages.at(-1)?.instructions.push({ name, argument })
    }
  }
  return stages
}

/** The words of an instruction in the exec form. @returns undefined for one that a shell would read */
export function execForm(argument: string): readonly string[] | undefined {
  if (!argument.startsWith('[')) return undefined
  return JSON.parse(argument)
}
