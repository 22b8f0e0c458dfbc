/**
 * Reads JSON that this store wrote itself, from a value of this very type: a change of the type's shape needs a
 * migration of what lies in the tables.
 */
export function parseStored<Value>(json: string): Value {
  return JSON.parse(json) as Value
}
