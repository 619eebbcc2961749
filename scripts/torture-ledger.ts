/**
 * Tortures the ledger: crashes, power cuts, failing disks, damaged files, bursts and races; and then shows that the
 * same runs catch every fault that is planted in a copy of the sources. Ends with 1 at the first broken promise.
 *
 *     npx tsx scripts/torture-ledger.ts [--seed text] [--cycles n] [--only kill,power,…] [--verbose]
 *
 * The seed repeats what the clients ask and what is damaged; when exactly a kill falls, no seed can say.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { burstRun } from './torture/burst.ts'
import { type CrashCounts, crashLoop } from './torture/crash-loop.ts'
import {
  buildShim,
  type Disk,
  failingDisk,
  killedProcess,
  powerCut,
  slowDisk,
} from './torture/disks.ts'
import { faultRun } from './torture/faults.ts'
import { MUTANTS, tryMutant } from './torture/mutants.ts'
import { raceRun } from './torture/races.ts'
import { type Random, seeded } from './torture/random.ts'
import { copyTree } from './torture/tree.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: randomBytes(4).toString('hex') },
    /** Crashes of each of the two great loops; the smaller runs follow from it. */
    cycles: { type: 'string', default: '1000' },
    only: { type: 'string', default: '' },
    verbose: { type: 'boolean', default: false },
  },
})
const cycles = Number(values.cycles)
/** As many clients over three gateways as keep groups small, so that crashes fall between them. */
const CLIENTS = 16

const folder = mkdtempSync(join(tmpdir(), 'lexora-torture-'))
const random = seeded(values.seed)
const library = buildShim(folder)
const tree = copyTree(join(folder, 'tree')).directory
const totals = { acknowledged: 0, crashes: 0, faults: 0 }
let isBroken = false

const shim = (home: string, place: string) => ({ library, home, folder: place })

function crashes(share: number, disk: (home: string, place: string) => Disk) {
  return async (options: RunOptions): Promise<object> => {
    const counts: CrashCounts = await crashLoop({
      ...options,
      cycles: Math.max(1, Math.round(cycles * share)),
      clients: CLIENTS,
      disk,
    })
    totals.acknowledged += counts.acknowledged
    totals.crashes += counts.cycles + counts.cutStarts
    return counts
  }
}

interface RunOptions {
  tree: string
  folder: string
  random: Random
  log: (line: string) => void
}

// Payments get a run of their own here once the ledger takes them.
const RUNS: Readonly<Record<string, (options: RunOptions) => Promise<object>>> = {
  kill: crashes(1, killedProcess),
  power: crashes(1, (home, place) => powerCut(shim(home, place))),
  eio: crashes(0.1, (home, place) => failingDisk(shim(home, place), 'eio')),
  full: crashes(0.1, (home, place) => failingDisk(shim(home, place), 'full')),
  slow: crashes(0.002, (home, place) => slowDisk(shim(home, place), 2_000)),
  async faults(options) {
    const counts = await faultRun({ ...options, flips: Math.ceil(cycles / 5) })
    totals.faults += counts.faults
    return counts
  },
  burst: (options) => burstRun({ ...options, rounds: Math.ceil(cycles / 10) }),
  races: raceRun,
  mutants,
}

/** Every planted fault must be caught; the control is that all runs above pass without one. */
async function mutants(options: RunOptions): Promise<object> {
  let caught = 0
  for (const [index, mutant] of MUTANTS.entries()) {
    const place = join(options.folder, String(index))
    const parts = { folder: place, library, random: options.random.fork(index) }
    const by = await tryMutant(mutant, parts)
    if (by === undefined) isBroken = true
    else caught += 1
    console.log(
      by === undefined
        ? `  SURVIVED ${mutant.name} (${mutant.trial})`
        : `  caught "${mutant.name}" (${mutant.trial}): ${by.trim()}`,
    )
  }
  return { planted: MUTANTS.length, caught }
}

console.log(`seed ${values.seed}, ${cycles} cycles`)
const chosen = values.only === '' ? Object.keys(RUNS) : values.only.split(',')
try {
  for (const name of chosen) {
    const run = RUNS[name]
    if (run === undefined)
      throw new Error(`there is no run ${name}: ${Object.keys(RUNS).join(' ')}`)
    const startMs = performance.now()
    const log = values.verbose ? (line: string): void => console.log(`  ${line}`) : () => undefined
    const parts = { tree, folder: join(folder, name), random: random.fork(name), log }
    const counts = await run(parts)
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1)
    console.log(`${name.padEnd(8)} ${seconds.padStart(7)} s  ${JSON.stringify(counts)}`)
  }
  const { acknowledged, crashes: crashed, faults } = totals
  console.log(
    `${crashed} crashes, ${acknowledged} acknowledged operations: 0 lost, 0 doubled, 0 overspent; ${faults} faults: 0 unnoticed`,
  )
} catch (error) {
  isBroken = true
  console.log(`BROKEN: ${error instanceof Error ? error.message : String(error)}`)
  console.log(`repeat with --seed ${values.seed} --cycles ${cycles}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = isBroken ? 1 : 0
