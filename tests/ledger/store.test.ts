import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Chunk, EMPTY_HEAD, isJournalDamaged } from '../../ledger/src/store/chunk.ts'
import { initLevelStore, openLevelStore } from '../../ledger/src/store/level-store.ts'
import { createMemoryStore } from '../../ledger/src/store/memory-store.ts'
import { startScrub } from '../../ledger/src/store/scrub.ts'
import type { Store } from '../../ledger/src/store/store.ts'
import { ledgerStoreSuite, nextChunk, readSeqs } from '../compliance/ledger-store-suite.ts'

ledgerStoreSuite('memory', {
  async create(genesis) {
    const store = createMemoryStore()
    await store.append(genesis)
    return store
  },
  teardown: () => Promise.resolve(),
})

let directory = ''
const makeDirectory = async (): Promise<void> => {
  directory = await mkdtemp(join(tmpdir(), 'lexora-store-'))
}
const removeDirectory = (): Promise<void> => rm(directory, { recursive: true, force: true })
const journal = (): string => join(directory, 'journal')

ledgerStoreSuite('level', {
  async create(genesis) {
    await makeDirectory()
    await initLevelStore(journal(), genesis)
    return openLevelStore(journal())
  },
  reopen: () => openLevelStore(journal()),
  teardown: removeDirectory,
})

describe('openLevelStore()', () => {
  let chunks: Chunk[] = []

  beforeEach(async () => {
    await makeDirectory()
    chunks = [nextChunk(EMPTY_HEAD, 1)]
    await initLevelStore(journal(), chunks[0] as Chunk)
    const store = await openLevelStore(journal())
    for (let index = 0; index < 5; index += 1) {
      const chunk = nextChunk(store.head(), 2)
      await store.append(chunk)
      chunks.push(chunk)
    }
    await store.close()
  })
  afterEach(removeDirectory)

  const keyOf = (seq: number): Uint8Array => {
    const key = Buffer.alloc(8)
    key.writeBigUInt64BE(BigInt(seq))
    return key
  }

  /** Changes the raw database behind the store's back. */
  async function tamper(
    work: (database: Level<Uint8Array, Uint8Array>) => Promise<void>,
  ): Promise<void> {
    const database = new Level<Uint8Array, Uint8Array>(journal(), {
      keyEncoding: 'view',
      valueEncoding: 'view',
    })
    await database.open()
    await work(database)
    await database.close()
  }

  async function openError(): Promise<unknown> {
    try {
      const store = await openLevelStore(journal())
      await store.close()
      return undefined
    } catch (error) {
      return error
    }
  }

  it('finds a flipped bit, wherever it is', async () => {
    const chunk = chunks[2] as Chunk
    for (const at of [0, 31, 32, 40, 44, 50, 77, 90, chunk.bytes.byteLength - 1]) {
      const bytes = Uint8Array.from(chunk.bytes)
      bytes[at] = (bytes[at] ?? 0) ^ 4
      await tamper((database) => database.put(keyOf(chunk.firstSeq), bytes))
      expect(isJournalDamaged(await openError()), `byte ${at}`).toBe(true)
    }
    await tamper((database) => database.put(keyOf(chunk.firstSeq), chunk.bytes))
    expect(await openError()).toBeUndefined()
  })

  it('finds a missing chunk', async () => {
    for (const gone of [0, 1, 3]) {
      const chunk = chunks[gone] as Chunk
      await tamper((database) => database.del(keyOf(chunk.firstSeq)))
      expect(isJournalDamaged(await openError()), `chunk ${gone}`).toBe(true)
      await tamper((database) => database.put(keyOf(chunk.firstSeq), chunk.bytes))
    }
  })

  it('finds swapped chunks', async () => {
    const [, a, b] = chunks as [Chunk, Chunk, Chunk]
    await tamper(async (database) => {
      await database.put(keyOf(a.firstSeq), b.bytes)
      await database.put(keyOf(b.firstSeq), a.bytes)
    })
    expect(isJournalDamaged(await openError())).toBe(true)
  })

  it('finds a chunk of another history', async () => {
    const b = chunks[2] as Chunk
    const forged = nextChunk({ nextSeq: b.firstSeq, hash: 'ab'.repeat(32) }, 2)
    await tamper((database) => database.put(keyOf(b.firstSeq), forged.bytes))
    expect(isJournalDamaged(await openError())).toBe(true)
  })

  it('finds records that are no chunks', async () => {
    await tamper((database) => database.put(new Uint8Array([1]), new Uint8Array([1])))
    expect(isJournalDamaged(await openError())).toBe(true)
  })

  it('finds an emptied database', async () => {
    await tamper((database) => database.clear())
    expect(isJournalDamaged(await openError())).toBe(true)
  })

  it('names what LevelDB itself cannot read', async () => {
    // `level` types what all its databases have in common; on Node it is classic-level, which can compact.
    type Compacting = { compactRange(start: Uint8Array, end: Uint8Array): Promise<void> }
    await tamper((database) =>
      (database as unknown as Compacting).compactRange(keyOf(0), keyOf(1_000)),
    )
    const [table = ''] = (await readdir(journal())).filter((file) => file.endsWith('.ldb'))
    const bytes = await readFile(join(journal(), table))
    // A block begins with the length of what is packed in it.
    await writeFile(join(journal(), table), bytes.fill(0xff, 0, 8))
    const error = await openError()
    expect(isJournalDamaged(error)).toBe(true)
    expect(error).toMatchObject({ cause: { code: 'LEVEL_CORRUPTION' } })
  })

  it('finds a database without its CURRENT file', async () => {
    await rm(join(journal(), 'CURRENT'))
    expect(isJournalDamaged(await openError())).toBe(true)
    expect(await readdir(journal())).not.toContain('CURRENT')
  })

  it('drops a torn tail and nothing before it', async () => {
    const [log] = (await readdir(journal())).filter((file) => file.endsWith('.log'))
    const path = join(journal(), log ?? '')
    const { size } = await stat(path)
    const store: Store = await openLevelStore(journal())
    const head = store.head()
    await store.append(nextChunk(head, 1))
    await store.close()
    const logs = (await readdir(journal())).filter((file) => file.endsWith('.log'))
    const newest = join(journal(), logs.sort().at(-1) ?? '')
    const grown = await stat(newest)
    expect(newest === path ? grown.size > size : grown.size > 0).toBe(true)
    await truncate(newest, grown.size - 5)
    const again = await openLevelStore(journal())
    expect(again.head()).toEqual(head)
    expect(await readSeqs(again, 0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    await again.close()
  })

  it('waits for the disk with every write', async () => {
    // Neither a kill nor a reopening can tell: the page cache outlives the process. Only the option can.
    const put = vi.spyOn(Level.prototype, 'put')
    const store = await openLevelStore(journal())
    await store.append(nextChunk(store.head(), 3))
    await store.append(nextChunk(store.head(), 1))
    await store.close()
    await initLevelStore(`${journal()}-other`, nextChunk(EMPTY_HEAD, 1))
    expect(put.mock.calls.map((call: unknown[]) => call[2])).toEqual([
      { sync: true },
      { sync: true },
      { sync: true },
    ])
    put.mockRestore()
  })

  it('lets one process in', async () => {
    const store = await openLevelStore(journal())
    expect(await openError()).toMatchObject({ code: 'conflict', facts: { locked: true } })
    await store.close()
    expect(await openError()).toBeUndefined()
  })

  it('creates nothing', async () => {
    await removeDirectory()
    expect(await openError()).toMatchObject({ code: 'not_found' })
  })

  it('is made once', async () => {
    const again = initLevelStore(journal(), nextChunk(EMPTY_HEAD, 1))
    await expect(again).rejects.toMatchObject({ code: 'conflict' })
    expect(await openError()).toBeUndefined()
  })
})

describe('startScrub()', () => {
  it('finds damage that a start from a snapshot does not see, once', async () => {
    await makeDirectory()
    await initLevelStore(journal(), nextChunk(EMPTY_HEAD, 1))
    const store = await openLevelStore(journal())
    for (let index = 0; index < 5; index += 1) await store.append(nextChunk(store.head(), 2))
    await store.close()
    const database = new Level<Uint8Array, Uint8Array>(journal(), {
      keyEncoding: 'view',
      valueEncoding: 'view',
    })
    const key = Buffer.alloc(8)
    key.writeBigUInt64BE(3n)
    const bytes = Uint8Array.from((await database.get(key)) ?? [])
    bytes[90] = (bytes[90] ?? 0) ^ 1
    await database.put(key, bytes)
    await database.close()

    const opened = await openLevelStore(journal(), { check: 'ends' })
    const damage: unknown[] = []
    const scrub = startScrub(opened, { onDamage: (error) => damage.push(error), everyMs: 1 })
    await vi.waitFor(() => expect(damage).toHaveLength(1))
    expect(isJournalDamaged(damage[0])).toBe(true)
    await scrub.stop()
    await opened.close()
    await removeDirectory()
  })

  it('reads again and again until it is stopped, and tells of nothing else', async () => {
    const store = createMemoryStore()
    await store.append(nextChunk(EMPTY_HEAD, 1))
    let readings = 0
    const counted: Store = {
      ...store,
      readFrom(seq) {
        readings += 1
        return store.readFrom(seq)
      },
    }
    const damage: unknown[] = []
    const scrub = startScrub(counted, { onDamage: (error) => damage.push(error), everyMs: 1 })
    await vi.waitFor(() => expect(readings).toBeGreaterThan(2))
    await scrub.stop()
    await scrub.stop()
    expect(damage).toEqual([])
  })
})
