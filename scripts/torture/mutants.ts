import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { burstRun } from './burst.ts'
import { crashLoop } from './crash-loop.ts'
import { failingDisk, killedProcess, powerCut } from './disks.ts'
import { faultRun } from './faults.ts'
import { raceRun } from './races.ts'
import type { Random } from './random.ts'
import { NotStarted, Violation } from './tortured-process.ts'
import { copyTree, type Plant } from './tree.ts'

/** A run that a mutant must not survive. */
type Trial = 'kill' | 'power' | 'lying disk' | 'eio' | 'full' | 'faults' | 'burst' | 'races'

/** A fault that somebody might make, and the run that must catch it. */
export interface Mutant {
  name: string
  plants: readonly Plant[]
  trial: Trial
}

const STORE = 'ledger/src/store/level-store.ts'
const WRITER = 'ledger/src/store/writer.ts'
const CHUNK = 'ledger/src/store/chunk.ts'
const BOOKS = 'ledger/src/core/books.ts'

const plant = (file: string, find: string, replace: string): Plant => ({ file, find, replace })

/** Faults that were found in ledgers of others, or that one line of this one away would be. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'writes are not synced',
    trial: 'power',
    plants: [plant(STORE, 'sync: true', 'sync: false')],
  },
  { name: 'the disk says that it synced', trial: 'lying disk', plants: [] },
  {
    name: 'answers before the write is done',
    trial: 'power',
    plants: [
      plant(
        WRITER,
        'await store.append(',
        'for (const job of group) job.answer()\nawait store.append(',
      ),
    ],
  },
  {
    name: 'a failed write is taken for a good one',
    trial: 'eio',
    plants: [plant(WRITER, 'failAll(error, group)', 'for (const job of group) job.answer()')],
  },
  {
    name: 'goes on after a failed write',
    trial: 'full',
    plants: [
      plant(
        WRITER,
        'failAll(error, group)',
        "for (const job of group) job.fail(unavailable('the ledger could not write', error))",
      ),
    ],
  },
  {
    name: 'a deposit is known by its number in the journal',
    trial: 'kill',
    plants: [
      plant(
        'ledger/src/core/rules/accounts.ts',
        'id: `${kind}:${command.id}`',
        'id: `${kind}:${command.id}:${state.nextSeq}`',
      ),
    ],
  },
  {
    name: 'a request is known by its hold alone',
    trial: 'kill',
    plants: [
      plant(
        'ledger/src/core/rules/holds.ts',
        'state.holdIds.get(requestKey(command.gateway, command.requestId))',
        'state.holdIds.get(requestKey(command.gateway, command.holdId))',
      ),
    ],
  },
  {
    // With the bound of the books away as well, or that would refuse what the rule let through.
    name: 'credit is checked first and taken later',
    trial: 'burst',
    plants: [
      plant(
        WRITER,
        'queue.push(jobOf((nowMs) => apply(state, rule, command, nowMs), resolve, reject))',
        'const decided = rule(state, command, clock())\nqueue.push(jobOf((nowMs) => apply(state, () => decided, command, nowMs), resolve, reject))',
      ),
      plant(BOOKS, 'spendable(debit) < 0n', 'spendable(debit) < -(2n ** 80n)'),
      plant(BOOKS, 'spendable(totals) >= 0n', 'spendable(totals) >= -(2n ** 80n)'),
    ],
  },
  {
    name: 'the fee is one too much',
    trial: 'kill',
    plants: [
      plant(
        'protocol/src/price.ts',
        '(cost * BigInt(feeBasisPoints)) / BASIS_POINTS',
        '(cost * BigInt(feeBasisPoints)) / BASIS_POINTS + (cost > 0n ? 1n : 0n)',
      ),
    ],
  },
  {
    name: 'an expiry is applied twice',
    trial: 'races',
    plants: [
      plant(
        BOOKS,
        'credit.creditsPending -= pending.amount',
        "credit.creditsPending -= pending.amount\nif (transfer.kind === 'expiry') { debit.debitsPending -= pending.amount; credit.creditsPending -= pending.amount }",
      ),
    ],
  },
  {
    name: 'chunks are not checked against their hash',
    trial: 'faults',
    plants: [plant(CHUNK, '!digest.equals(view.subarray(0, HASH_BYTES))', 'false')],
  },
  {
    name: 'missing chunks are not missed',
    trial: 'faults',
    plants: [
      plant(CHUNK, 'chunk.firstSeq !== head.nextSeq || chunk.count < 1', 'false'),
      plant(CHUNK, 'chunk.prevHash !== head.hash', 'false'),
    ],
  },
  {
    name: 'a journal that is shorter than its snapshot is taken',
    trial: 'faults',
    plants: [
      plant('ledger/src/service.ts', 'if (nextSeq > store.head().nextSeq) {', 'if (false) {'),
    ],
  },
  {
    name: 'what a start does not read is never read',
    trial: 'faults',
    plants: [plant('ledger/src/store/scrub.ts', 'await readAll()', '')],
  },
  {
    name: 'a missing database is made anew',
    trial: 'faults',
    plants: [plant(STORE, 'createIfMissing: false', 'createIfMissing: true')],
  },
]

/** What is needed to try a mutant. */
export interface MutantOptions {
  folder: string
  library: string
  random: Random
}

/**
 * Runs a mutant through its trial. Returns what caught it, or undefined where it survived. Throws where it does not
 * even start: that would be a broken plant and no finding.
 */
export async function tryMutant(
  mutant: Mutant,
  { folder, library, random }: MutantOptions,
): Promise<string | undefined> {
  mkdirSync(folder, { recursive: true })
  const tree = copyTree(join(folder, 'tree'), mutant.plants)
  const options = {
    tree: tree.directory,
    folder: join(folder, 'run'),
    random,
    log: () => undefined,
  }
  try {
    await TRIALS[mutant.trial](options, library)
    return undefined
  } catch (error) {
    if (error instanceof Violation) return error.message
    if (error instanceof NotStarted && error.code !== 'ended') return error.message
    throw error
  } finally {
    tree.remove()
  }
}

interface TrialOptions {
  tree: string
  folder: string
  random: Random
  log: (line: string) => void
}

/** Crashes of one trial: many more than it takes to catch what the trial is for. */
const LOAD = { cycles: 50, clients: 16 }

const TRIALS: Readonly<
  Record<Trial, (options: TrialOptions, library: string) => Promise<unknown>>
> = {
  kill: (options) => crashLoop({ ...options, ...LOAD, disk: killedProcess }),
  power: (options, library) =>
    crashLoop({ ...options, ...LOAD, disk: (home, folder) => powerCut({ library, home, folder }) }),
  'lying disk': (options, library) =>
    crashLoop({
      ...options,
      ...LOAD,
      disk: (home, folder) => powerCut({ library, home, folder, lies: true }),
    }),
  eio: (options, library) =>
    crashLoop({
      ...options,
      ...LOAD,
      disk: (home, folder) => failingDisk({ library, home, folder }, 'eio'),
    }),
  full: (options, library) =>
    crashLoop({
      ...options,
      ...LOAD,
      disk: (home, folder) => failingDisk({ library, home, folder }, 'full'),
    }),
  faults: (options) => faultRun({ ...options, flips: 20 }),
  burst: (options) => burstRun({ ...options, rounds: 2 }),
  races: (options) => raceRun({ ...options, crashPoints: [4] }),
}
