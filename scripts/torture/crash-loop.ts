import { join } from 'node:path'
import {
  type Book,
  begin,
  createBook,
  deposit,
  expireAll,
  reconcile,
  revokeOne,
  see,
} from './book.ts'
import type { Disk } from './disks.ts'
import { type Customer, openCustomers, openMarket, planRequest } from './market.ts'
import type { Random } from './random.ts'
import { carryOut } from './request.ts'
import { must, NotStarted, startWorker, Violation, type Worker } from './tortured-process.ts'

/** Cycles of one ledger before a new one begins, so that a long run does not read ever longer journals. */
const CYCLES_PER_LEDGER = 25
/** Longest start of a ledger of that many cycles, in time of the processor: others may keep the machine busy. */
const OPEN_MS_MAX = 2_000
/** Longest wait for the end of a ledger; one that must end by itself and does not is a finding. */
const PATIENCE_MS = 10_000
const CUSTOMERS = 4
/** Of each customer at the beginning: some hundred requests, so that refusals come up too. */
const START_NANO_USD = 20_000_000n

/** What a run of cycles came to. */
export interface CrashCounts {
  cycles: number
  /** Operations that were answered with success, and so promised. */
  acknowledged: number
  /** Requests that a crash left without an answer, and that were asked again. */
  unanswered: number
  /** Starts that were cut short themselves. */
  cutStarts: number
  openMsMax: number
}

/** What a run needs. */
export interface CrashOptions {
  tree: string
  /** An empty folder for the ledgers; `home(n)` must be what the disk was made for. */
  folder: string
  random: Random
  cycles: number
  clients: number
  disk: (home: string, folder: string) => Disk
  /** Told about each cycle. */
  log: (line: string) => void
}

/**
 * Over and over: start the ledger, compare it with everything that was ever acknowledged, work it with several
 * clients, and let it crash. Throws a {@link Violation} with the cycle's number.
 */
export async function crashLoop(options: CrashOptions): Promise<CrashCounts> {
  const counts = { cycles: 0, acknowledged: 0, unanswered: 0, cutStarts: 0, openMsMax: 0 }
  for (let first = 0; first < options.cycles; first += CYCLES_PER_LEDGER) {
    const folder = join(options.folder, `ledger-${first}`)
    const life = await beginLife(options, folder)
    const last = Math.min(first + CYCLES_PER_LEDGER, options.cycles)
    for (let cycle = first; cycle < last; cycle += 1) {
      const run = oneCycle(life, options.random.fork(cycle), { options, counts })
      await run.catch((error: unknown) => {
        throw error instanceof Violation ? new Violation(`cycle ${cycle}: ${error.message}`) : error
      })
      counts.cycles += 1
    }
    await endLife(life, counts)
  }
  return counts
}

interface Life {
  tree: string
  home: string
  disk: Disk
  book: Book
  customers: Customer[]
}

async function beginLife({ tree, random, disk }: CrashOptions, folder: string): Promise<Life> {
  const home = join(folder, 'home')
  const life = { tree, home, disk: disk(home, folder), book: createBook() }
  const worker = await startWorker({ tree, home, seed: random.bytes(8).toString('hex') })
  await openMarket(worker)
  const customers = await openCustomers(worker, CUSTOMERS)
  for (const { accountId } of customers) {
    await deposit(life.book, worker, {
      id: `start ${accountId}`,
      accountId,
      amount: START_NANO_USD,
    })
  }
  await worker.demand('stop')
  await worker.ended
  return { ...life, customers }
}

interface Run {
  options: CrashOptions
  counts: CrashCounts
}

async function oneCycle(life: Life, random: Random, { options, counts }: Run): Promise<void> {
  const { book, disk } = life
  if (random.chance(0.1) && !disk.endsItself) await cutStart(life, random, counts)
  disk.beforeStart(random, false)
  const worker = await open(life, random)
  counts.openMsMax = Math.max(counts.openMsMax, Math.round(worker.openMs))
  must(worker.openCpuMs < OPEN_MS_MAX, `a start must take less than ${OPEN_MS_MAX} ms`)
  await reconcile(book, worker)
  if (random.chance(0.3)) {
    await expireAll(book, worker)
    await reconcile(book, worker)
  }
  see(book, worker.witness())
  const end = disk.arm(worker, random)
  const patience = setTimeout(() => worker.kill(), PATIENCE_MS)
  const before = worker.acknowledged()
  await Promise.all(
    Array.from({ length: options.clients }, (_, index) =>
      work(life, worker, random.fork(`client ${index}`)),
    ),
  )
  await checkEnd(worker, disk).finally(() => clearTimeout(patience))
  const left = disk.afterEnd(random)
  see(book, worker.witness())
  const acknowledged = worker.acknowledged() - before
  counts.acknowledged += acknowledged
  const isDoubtful = [...book.requests].filter(hasDoubt).length
  counts.unanswered += isDoubtful
  options.log(`${end} ${left}: ${acknowledged} acknowledged, ${isDoubtful} unanswered`)
}

function hasDoubt(request: Book['requests'][number]): boolean {
  const { authorised, settled, voided, claimed } = request
  return [authorised, settled, voided, claimed].includes('asked')
}

/** A crash while the ledger recovers from a crash. */
async function cutStart(life: Life, random: Random, counts: CrashCounts): Promise<void> {
  life.disk.beforeStart(random, true)
  try {
    const worker = await open(life, random)
    worker.kill()
    await worker.ended
  } catch (error) {
    if (!(error instanceof NotStarted) || error.code !== 'ended') throw error
    counts.cutStarts += 1
  }
  life.disk.afterEnd(random)
}

async function open({ tree, home, disk }: Life, random: Random): Promise<Worker> {
  const seed = random.bytes(8).toString('hex')
  try {
    return await startWorker({ tree, home, seed, environment: disk.environment() })
  } catch (error) {
    const isCut = error instanceof NotStarted && error.code === 'ended'
    if (!(error instanceof NotStarted) || isCut) throw error
    throw new Violation(`a ledger that only crashed must open, and it said ${error.message}`)
  }
}

/** One client: one request after the other, and now and then money, until the ledger is gone. */
async function work(life: Life, worker: Worker, random: Random): Promise<void> {
  const { book, customers } = life
  for (;;) {
    const customer = random.pick(customers)
    const { accountId } = customer
    if (random.chance(0.05)) {
      const amount = BigInt(random.between(1, 5_000_000))
      const id = `deposit ${random.bytes(8).toString('hex')}`
      if (!(await deposit(book, worker, { id, accountId, amount }))) return
    }
    if (random.chance(0.003) && !(await revokeOne(book, worker, accountId))) return
    if (!(await carryOut(worker, begin(book, customer, planRequest(random))))) return
  }
}

async function checkEnd(worker: Worker, disk: Disk): Promise<void> {
  const { code, signal } = await worker.ended
  if (disk.endsItself) {
    must(code === 1, `a ledger that cannot write must end with 1, not ${code ?? signal}`)
    must(worker.complaint().includes('fatal '), 'a ledger that cannot write must say why')
  } else {
    must(
      signal === 'SIGKILL',
      `nothing but the crash must end it, not ${code}: ${worker.complaint()}`,
    )
  }
}

/** A last look at what the last crash left. */
async function endLife(life: Life, counts: CrashCounts): Promise<void> {
  const worker = await startWorker({ tree: life.tree, home: life.home, seed: 'end' })
  counts.openMsMax = Math.max(counts.openMsMax, Math.round(worker.openMs))
  await reconcile(life.book, worker)
  await expireAll(life.book, worker)
  await reconcile(life.book, worker)
  await worker.demand('stop')
  await worker.ended
}
