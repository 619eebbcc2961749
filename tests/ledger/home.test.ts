import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { initHome, type LedgerHome, ledgerHome, openHome } from '../../ledger/src/home.ts'
import { EMPTY_HEAD, isJournalDamaged } from '../../ledger/src/store/chunk.ts'
import { initLevelStore } from '../../ledger/src/store/level-store.ts'
import { nextChunk } from '../compliance/ledger-store-suite.ts'
import { countingRandom } from './fixture.ts'

describe('a ledger’s folder', () => {
  let directory = ''
  let home: LedgerHome
  const components = { clock: () => 1_000, random: countingRandom() }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lexora-home-'))
    home = ledgerHome(join(directory, 'ledger'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  async function openError(): Promise<unknown> {
    try {
      await (await openHome(home)).close()
      return undefined
    } catch (error) {
      return error
    }
  }

  it('is made once and left alone afterwards', async () => {
    const first = await initHome(home, components)
    expect(first).toMatchObject({ created: true })
    expect(await initHome(home, components)).toEqual({ ...first, created: false })
    const store = await openHome(home)
    expect(store.head().nextSeq).toBe(1)
    await store.close()
  })

  it('is for its owner alone', async () => {
    await initHome(home, components)
    expect((await stat(home.directory)).mode & 0o777).toBe(0o700)
    expect((await stat(home.marker)).mode & 0o777).toBe(0o600)
  })

  it('must have been made', async () => {
    expect(await openError()).toMatchObject({ code: 'not_found', facts: { noLedger: true } })
  })

  it('is let go of where its journal does not begin as a journal must', async () => {
    await initHome(home, components)
    await rm(home.journal, { recursive: true })
    await initLevelStore(home.journal, nextChunk(EMPTY_HEAD, 1))
    for (const attempt of ['first', 'second']) {
      expect(isJournalDamaged(await openError()), attempt).toBe(true)
    }
  })

  it('is not made anew where its journal is gone', async () => {
    await initHome(home, components)
    await rm(home.journal, { recursive: true })
    expect(isJournalDamaged(await openError())).toBe(true)
    expect(await initHome(home, components)).toMatchObject({ created: false })
    expect(isJournalDamaged(await openError())).toBe(true)
  })

  it('does not take the journal of another ledger', async () => {
    const other = ledgerHome(join(directory, 'other'))
    await initHome(home, components)
    await initHome(other, components)
    await rm(home.journal, { recursive: true })
    await rename(other.journal, home.journal)
    expect(isJournalDamaged(await openError())).toBe(true)
  })

  it('finishes an init that was cut short before its marker', async () => {
    const first = await initHome(home, components)
    await rm(home.marker)
    expect(await initHome(home, components)).toEqual({ ...first, created: true })
    expect(await openError()).toBeUndefined()
  })

  it('does not adopt a journal with work in it', async () => {
    await initHome(home, components)
    const store = await openHome(home)
    const { nextChunk } = await import('../compliance/ledger-store-suite.ts')
    await store.append(nextChunk(store.head(), 1))
    await store.close()
    const marker = await readFile(home.marker, 'utf8')
    await rm(home.marker)
    await expect(initHome(home, components)).rejects.toMatchObject({ code: 'conflict' })
    await writeFile(home.marker, marker)
    expect(await openError()).toBeUndefined()
  })

  it('says so where its marker is broken', async () => {
    await initHome(home, components)
    await writeFile(home.marker, 'nonsense')
    expect(isJournalDamaged(await openError())).toBe(true)
  })
})
