import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { burstRun } from '../../scripts/torture/burst.ts'
import { crashLoop } from '../../scripts/torture/crash-loop.ts'
import {
  buildShim,
  failingDisk,
  hasShim,
  killedProcess,
  powerCut,
} from '../../scripts/torture/disks.ts'
import { faultRun } from '../../scripts/torture/faults.ts'
import { MUTANTS, tryMutant } from '../../scripts/torture/mutants.ts'
import { seeded } from '../../scripts/torture/random.ts'
import { copyTree } from '../../scripts/torture/tree.ts'

/** The short form of `npm run torture:ledger`, the same every time. */
const SEED = 'short form'
const LOAD = { cycles: 2, clients: 8, log: () => undefined }

describe('the ledger under torture', () => {
  let folder = ''
  let tree = ''
  let library = ''

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lexora-torture-'))
    tree = copyTree(join(folder, 'tree')).directory
    if (hasShim()) library = buildShim(folder)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const place = (name: string) => ({
    tree,
    folder: join(folder, name),
    random: seeded(SEED).fork(name),
    log: () => undefined,
  })

  it('loses nothing to kill -9', { timeout: 60_000 }, async () => {
    const counts = await crashLoop({ ...LOAD, ...place('kill'), disk: killedProcess })
    expect(counts.cycles).toBe(2)
    expect(counts.acknowledged).toBeGreaterThan(10)
  })

  it.skipIf(!hasShim())('loses nothing to a power cut', { timeout: 60_000 }, async () => {
    const disk = (home: string, under: string) => powerCut({ library, home, folder: under })
    const counts = await crashLoop({ ...LOAD, ...place('power'), cycles: 3, disk })
    expect(counts.cycles).toBe(3)
  })

  it.skipIf(!hasShim())('stops at a write that fails', { timeout: 60_000 }, async () => {
    // LevelDB itself goes on after a full disk and has lost what it acknowledges then.
    const disk = (home: string, under: string) =>
      failingDisk({ library, home, folder: under }, 'full')
    const counts = await crashLoop({ ...LOAD, ...place('full'), cycles: 1, disk })
    expect(counts.cycles).toBe(1)
  })

  it('names damaged files', { timeout: 60_000 }, async () => {
    const counts = await faultRun({ ...place('faults'), flips: 2 })
    expect(counts.refused).toBeGreaterThan(counts.faults / 2)
    expect(counts.namedByWitness).toBeGreaterThanOrEqual(1)
  })

  it('serves exactly what the credit is for', { timeout: 60_000 }, async () => {
    expect((await burstRun({ ...place('burst'), rounds: 1 })).accepted).toBe(56)
  })

  // Three that take seconds; all of them are in `npm run torture:ledger`.
  const planted = MUTANTS.filter(
    ({ name, trial }) => trial === 'burst' || (name === 'writes are not synced' && hasShim()),
  )
  it.each(planted)('catches a ledger where $name', { timeout: 60_000 }, async (mutant) => {
    const parts = { folder: join(folder, mutant.name), library, random: seeded(SEED) }
    expect(await tryMutant(mutant, parts)).toBeDefined()
  })
})

describe('copyTree()', () => {
  it('refuses a fault that finds nothing to replace', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lexora-torture-'))
    const plant = { file: 'ledger/src/store/writer.ts', find: 'no such text', replace: '' }
    expect(() => copyTree(join(folder, 'tree'), [plant])).toThrow(/nothing to replace/)
    rmSync(folder, { recursive: true, force: true })
  })
})
