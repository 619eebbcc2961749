import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { customer, furnish, openLedger } from './shop.ts'

/** Of all entries, what accounts with a deposit and a key make; the rest are holds and captures. */
const ACCOUNT_SHARE = 0.3
const ENTRIES_PER_ACCOUNT = 3
const AT_ONCE = 1_000

/** What a start of a process took. */
interface Opened {
  ms: number
  rssMb: number
  heapMb: number
  facts: Record<string, unknown>
}

/** Fills a ledger with so many entries and measures starts with and without its snapshot. */
export async function benchOpening(directory: string, entries: number): Promise<void> {
  const accounts = Math.floor((entries * ACCOUNT_SHARE) / ENTRIES_PER_ACCOUNT)
  const requests = Math.floor((entries * (1 - ACCOUNT_SHARE)) / 2)
  const service = await openLedger(directory, (facts, message) => {
    if (message === 'snapshot taken') console.log(`snapshot: ${JSON.stringify(facts)}`)
  })
  const target = await furnish(service)
  await atOnce(accounts, (index) => customer(service, `customer ${index}`))
  const holdsMs: number[] = []
  await atOnce(requests, async () => {
    const startMs = performance.now()
    const holdId = await target.hold()
    holdsMs.push(performance.now() - startMs)
    await target.capture(holdId)
  })
  await service.stop()
  const journal = await bytesIn(join(directory, 'journal'))
  const snapshots = await bytesIn(join(directory, 'snapshots'))
  console.log(
    `${accounts} accounts, ${entries} entries: journal ${journal}, snapshots ${snapshots}`,
  )
  console.log(`from the snapshot: ${JSON.stringify(await openInChild(directory))}`)
  await rm(join(directory, 'snapshots'), { recursive: true })
  console.log(`from the journal alone: ${JSON.stringify(await openInChild(directory))}`)
}

async function atOnce(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

async function bytesIn(directory: string): Promise<string> {
  let bytes = 0
  for (const name of await readdir(directory)) bytes += (await stat(join(directory, name))).size
  return `${Math.round(bytes / 1024 ** 2)} MB`
}

async function openInChild(directory: string): Promise<Opened> {
  const options = { execArgv: ['--import', 'tsx', '--expose-gc'] }
  const child = fork(fileURLToPath(import.meta.url), [directory], options)
  const [opened] = (await once(child, 'message')) as [Opened]
  child.kill('SIGKILL')
  await once(child, 'exit')
  return opened
}

const [, script = '', directory] = process.argv
if (directory !== undefined && fileURLToPath(import.meta.url) === script) {
  const startMs = performance.now()
  let facts: Record<string, unknown> = {}
  await openLedger(directory, (told, message) => {
    if (message === 'state is read') facts = told
  })
  const ms = Math.round(performance.now() - startMs)
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  const mb = (bytes: number): number => Math.round(bytes / 1024 ** 2)
  process.send?.({ ms, rssMb: mb(rss), heapMb: mb(heapUsed), facts } satisfies Opened)
}
