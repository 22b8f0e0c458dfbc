import { writeSync } from 'node:fs'
import process from 'node:process'
import { createHistory } from '../../packages/server/src/store/history.fixture.ts'
import { openImpatientStore } from '../../packages/server/src/store/sqlite/impatient-store.fixture.ts'
import { openSqliteStore } from '../../packages/server/src/store/sqlite/sqlite.ts'
import { flaws, isFlaw } from './flaws.ts'

// A process with a store: eight callers for so many milliseconds, and a line for each operation that has come to its end.
// Ends with 69 when the database fails, as `holdfast serve` does.
const [file = '', name = '', milliseconds = '1000', flaw] = process.argv.slice(2)
const line = (text: string) => writeSync(1, `${text}\n`)
const report = ({ event }: { readonly event: string }) => {
  if (event !== 'store_failed') return
  line('store_failed')
  process.exit(69)
}
const opened =
  flaw === 'does not wait for the disk'
    ? await openImpatientStore(file)
    : await openSqliteStore({ file, report, reserve: 4096 })
line('ready')
const end = performance.now() + Number(milliseconds)
const store = isFlaw(flaw) ? flaws[flaw](opened) : opened
const history = createHistory(8, name, (operation) => line(JSON.stringify(operation)))
await history.work(store, () => performance.now() > end)
await opened.close()
