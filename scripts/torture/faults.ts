import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { begin, createBook, deposit } from './book.ts'
import { flipBit, listFiles } from './disks.ts'
import { openCustomers, openMarket, planRequest } from './market.ts'
import type { Random } from './random.ts'
import { carryOut } from './request.ts'
import { must, startWorker, Violation, type Witness, type Worker } from './tortured-process.ts'

/** Entries of the journal that is damaged: several tables and a log. */
const REQUESTS = 400
const CLIENTS = 16

/** What came of the damage. */
export interface FaultCounts {
  faults: number
  /** Refused at the start, and the damage named. */
  refused: number
  /** Opened from a snapshot, and stopped by the reading in the background that names the damage. */
  stoppedByScrub: number
  /** Opened with a part of the end missing: a valid journal, so only a head that somebody else remembers tells. */
  namedByWitness: number
  /** Opened, and every byte of the journal is as it was: what was damaged does not matter. */
  harmless: number
}

/** What a run needs. */
export interface FaultOptions {
  tree: string
  folder: string
  random: Random
  /** Bit flips of each kind of file. */
  flips: number
  log: (line: string) => void
}

interface Inspected {
  refused?: { code: string; message: string; facts: Record<string, unknown> }
  opened?: { problems: string[]; digest: string; isStopped: boolean; head: Witness }
}

interface Specimen {
  worker: Worker
  home: string
  scratch: string
  digest: string
  head: Witness
}

/** A damage done to a folder, and what must come of it where that is certain. */
interface Fault {
  name: string
  damage: (folder: string, random: Random) => void
  /** The folder's journal files must be as the damage left them, since a refusal must not make things worse. */
  keepsFiles?: boolean
  mustRefuse?: boolean
  /** Without a snapshot a start reads everything, so nothing is left for a later check to find. */
  readsAll?: boolean
  /** A snapshot that cannot be read is as good as none. */
  spoilsSnapshots?: boolean
}

/**
 * Damages copies of a good ledger and opens them. Every damage must be refused by name, found by the reading in
 * the background, told by a witness, or be without effect: served and unnoticed is a violation.
 */
export async function faultRun(options: FaultOptions): Promise<FaultCounts> {
  const specimen = await makeSpecimen(options)
  const counts = { faults: 0, refused: 0, stoppedByScrub: 0, namedByWitness: 0, harmless: 0 }
  try {
    const faults = [...bitFlips(specimen, options.flips), ...FAULTS]
    for (const [index, fault] of faults.entries()) {
      const random = options.random.fork(`${fault.name} ${index}`)
      const verdict = await oneFault(specimen, fault, random)
      counts.faults += 1
      counts[verdict] += 1
      options.log(`${fault.name}: ${verdict}`)
    }
  } finally {
    specimen.worker.kill()
    await specimen.worker.ended
  }
  return counts
}

/** A ledger with some history, stopped, and a process to inspect damaged copies with. */
async function makeSpecimen({ tree, folder, random }: FaultOptions): Promise<Specimen> {
  const home = join(folder, 'home')
  const first = await startWorker({ tree, home, seed: 'specimen' })
  await openMarket(first)
  const customers = await openCustomers(first, CLIENTS)
  const book = createBook()
  await Promise.all(
    customers.map(async (customer, index) => {
      const { accountId } = customer
      await deposit(book, first, { id: accountId, accountId, amount: 10n ** 12n })
      const plans = random.fork(index)
      for (let count = 0; count < REQUESTS / CLIENTS; count += 1) {
        await carryOut(first, begin(book, customer, planRequest(plans)))
      }
    }),
  )
  // A start moves what is in the log into a table, so there is one of each after it.
  await stop(first)
  cpSync(home, join(folder, 'earlier'), { recursive: true })
  const second = await startWorker({ tree, home, seed: 'specimen again' })
  await Promise.all(
    customers.map(async (customer, index) => {
      const plans = random.fork(`more ${index}`)
      for (let count = 0; count < 5; count += 1) {
        await carryOut(second, begin(book, customer, planRequest(plans)))
      }
    }),
  )
  const digest = await second.demand<string>('digest')
  const head = second.witness()
  await stop(second)
  const worker = await startWorker({ tree, home: join(folder, 'inspector'), seed: 'inspector' })
  return { worker, home, scratch: join(folder, 'scratch'), digest, head }
}

async function stop(worker: Worker): Promise<void> {
  await worker.demand('stop')
  const { code } = await worker.ended
  must(code === 0, `a ledger must stop cleanly, not with ${code}: ${worker.complaint()}`)
}

async function oneFault(
  specimen: Specimen,
  fault: Fault,
  random: Random,
): Promise<Exclude<keyof FaultCounts, 'faults'>> {
  const { worker, home, scratch, digest, head } = specimen
  rmSync(scratch, { recursive: true, force: true })
  cpSync(home, scratch, { recursive: true })
  fault.damage(scratch, random)
  const before = dataFiles(scratch)
  const snapshotSeq = newestSnapshot(scratch)
  const { refused, opened } = await worker.demand<Inspected>('inspect', { folder: scratch })
  if (refused !== undefined) {
    const isNamed = refused.facts['journalDamaged'] === true || refused.facts['noLedger'] === true
    must(isNamed, `${fault.name}: a refusal must name the damage, not ${refused.message}`)
    if (fault.keepsFiles === true) {
      const isKept = [...before].every(([name, bytes]) =>
        dataFiles(scratch).get(name)?.equals(bytes),
      )
      must(isKept, `${fault.name}: a refusal must leave the journal's files alone`)
    }
    return 'refused'
  }
  must(opened !== undefined && fault.mustRefuse !== true, `${fault.name} must be refused`)
  if (opened.problems.length > 0) {
    must(fault.readsAll !== true, `${fault.name} must be refused: ${opened.problems[0]}`)
    must(opened.isStopped, `${fault.name} must stop the ledger: ${opened.problems[0]}`)
    return 'stoppedByScrub'
  }
  if (opened.digest === digest) return 'harmless'
  must(
    fault.spoilsSnapshots === true || opened.head.nextSeq >= snapshotSeq,
    `${fault.name}: a journal that is shorter than its snapshot must be refused`,
  )
  // The journal is a true beginning of what it was, or it would not be a valid chain.
  if (opened.head.nextSeq < head.nextSeq) return 'namedByWitness'
  throw new Violation(`${fault.name} must not be served as if nothing had happened`)
}

/** The entry that the newest snapshot of a folder stands on, from its name; 0 without one. */
function newestSnapshot(folder: string): number {
  return Math.max(0, ...filesOf(folder, 'snapshot').map((name) => Number.parseInt(basename(name))))
}

/** LevelDB's tables and logs with their bytes. */
function dataFiles(folder: string): Map<string, Buffer> {
  const names = listFiles(folder).filter((name) => /\.(?:ldb|log)$/.test(name))
  return new Map(names.map((name) => [name, readFileSync(join(folder, name))]))
}

const FILES: Readonly<Record<string, RegExp>> = {
  table: /\.ldb$/,
  log: /\d\.log$/,
  manifest: /MANIFEST/,
  current: /CURRENT$/,
  snapshot: /snapshot$/,
  marker: /ledger\.json$/,
}

function filesOf(folder: string, kind: string): string[] {
  const pattern = FILES[kind]
  return listFiles(folder).filter((name) => pattern?.test(basename(name)) === true)
}

function bitFlips({ home }: Specimen, flips: number): Fault[] {
  return Object.keys(FILES).flatMap((kind) => {
    must(filesOf(home, kind).length > 0, `there must be a ${kind} to damage`)
    return Array.from({ length: flips }, (_, index) => ({
      name: `bit flip in ${kind}${index % 2 === 0 ? '' : ', no snapshot'}`,
      readsAll: index % 2 !== 0 && kind !== 'snapshot',
      spoilsSnapshots: kind === 'snapshot',
      damage(folder: string, random: Random) {
        const file = join(folder, random.pick(filesOf(folder, kind)))
        const bytes = readFileSync(file)
        flipBit(bytes, random)
        writeFileSync(file, bytes)
        if (this.readsAll) rmSync(join(folder, 'snapshots'), { recursive: true })
      },
    }))
  })
}

const remove = (kind: string) => (folder: string) => {
  for (const name of filesOf(folder, kind)) rmSync(join(folder, name))
}

/** A piece of a file of this kind is gone or other bytes. */
const spoil = (kind: string, change: (bytes: Buffer, random: Random) => Buffer) => {
  return (folder: string, random: Random): void => {
    for (const name of filesOf(folder, kind)) {
      const file = join(folder, name)
      writeFileSync(file, change(readFileSync(file), random))
    }
  }
}

const half = (bytes: Buffer): Buffer => bytes.subarray(0, Math.floor(bytes.length / 2))

const FAULTS: readonly Fault[] = [
  {
    name: 'journal folder deleted',
    damage: (folder) => rmSync(join(folder, 'journal'), { recursive: true }),
    mustRefuse: true,
  },
  { name: 'marker deleted', damage: remove('marker'), mustRefuse: true, keepsFiles: true },
  { name: 'tables deleted', damage: remove('table'), mustRefuse: true },
  { name: 'log deleted', damage: remove('log') },
  { name: 'manifest deleted', damage: remove('manifest'), mustRefuse: true, keepsFiles: true },
  { name: 'CURRENT deleted', damage: remove('current'), mustRefuse: true, keepsFiles: true },
  {
    name: 'all but the marker deleted',
    mustRefuse: true,
    damage(folder) {
      for (const name of listFiles(join(folder, 'journal'))) rmSync(join(folder, 'journal', name))
    },
  },
  { name: 'tables cut in half', damage: spoil('table', half), mustRefuse: true },
  { name: 'tables zeroed', damage: spoil('table', (bytes) => bytes.fill(0)), mustRefuse: true },
  { name: 'log cut in half', damage: spoil('log', half) },
  { name: 'log zeroed', damage: spoil('log', (bytes) => bytes.fill(0)) },
  {
    name: 'hole in the log',
    damage: spoil('log', (bytes, random) => {
      const from = random.between(100, half(bytes).length)
      return bytes.fill(0, from, from + 500)
    }),
  },
  {
    name: 'manifest emptied',
    damage: spoil('manifest', () => Buffer.alloc(0)),
    mustRefuse: true,
    keepsFiles: true,
  },
  {
    name: 'journal of another ledger',
    mustRefuse: true,
    damage(folder) {
      const other = join(folder, '..', 'inspector', 'journal')
      rmSync(join(folder, 'journal'), { recursive: true })
      cpSync(other, join(folder, 'journal'), { recursive: true })
    },
  },
  {
    // A true ledger of its time: nobody but a witness can know that it is not the latest.
    name: 'copy of an earlier time',
    damage(folder) {
      rmSync(folder, { recursive: true })
      cpSync(join(folder, '..', 'earlier'), folder, { recursive: true })
    },
  },
]
