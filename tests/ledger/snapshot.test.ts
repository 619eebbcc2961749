import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fromJson, toJson } from '../../ledger/src/core/json.ts'
import { createState, type LedgerState, replay } from '../../ledger/src/core/state.ts'
import { Table } from '../../ledger/src/core/table.ts'
import type { LedgerService } from '../../ledger/src/service.ts'
import { entriesOf } from '../../ledger/src/store/chunk.ts'
import { createMemoryStore } from '../../ledger/src/store/memory-store.ts'
import { createSnapshotShelf, type SnapshotShelf } from '../../ledger/src/store/snapshot-shelf.ts'
import { stateKind } from '../../ledger/src/store/snapshotter.ts'
import type { Store } from '../../ledger/src/store/store.ts'
import { codeOf, delivery, GATEWAY, MODEL, openLedger, openShop, requestId } from './fixture.ts'

describe('Table', () => {
  it('gives what was there at the freeze, whatever happens while it is read', () => {
    const key = fc.integer({ min: 0, max: 9 })
    const change = fc.record({ key, value: fc.option(fc.nat(), { nil: undefined }) })
    const changes = fc.array(change, { maxLength: 20 })
    fc.assert(
      fc.property(changes, fc.array(changes, { maxLength: 12 }), (before, between) => {
        const table = new Table<number, number>()
        const make = ({ key: at, value }: { key: number; value: number | undefined }): void => {
          if (value === undefined) table.delete(at)
          else table.set(at, value)
        }
        before.forEach(make)
        const wanted = new Map(table)
        table.freeze()
        const read = new Map<number, number>()
        const reader = table.frozen()
        for (const some of between) {
          some.forEach(make)
          const next = reader.next()
          if (next.done !== true) read.set(...next.value)
        }
        for (const [at, value] of reader) read.set(at, value)
        table.thaw()
        expect(read).toEqual(wanted)
      }),
    )
  })
})

describe('toJson()', () => {
  it('gives back bigints, and strings that look like them', () => {
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.bigInt(),
        fc.string(),
        fc.stringMatching(/^#+\d*$/),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value')),
        fc.dictionary(fc.string(), tie('value')),
      ),
    })).value
    fc.assert(
      fc.property(json, (value) => {
        fc.pre(!toJson(value).includes('__proto__'))
        expect(fromJson(toJson(value, '#'), '#')).toEqual(value)
      }),
    )
  })

  it('refuses what JSON cannot hold', () => {
    for (const value of [new Map(), new Set(), Number.NaN, () => 1, [undefined], new Date()]) {
      expect(() => toJson(value)).toThrow()
    }
  })
})

describe('snapshots', () => {
  let directory = ''
  let shelf: SnapshotShelf
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lexora-snapshots-'))
    shelf = createSnapshotShelf(directory)
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  const restore = () => shelf.restore(stateKind(), () => createState())

  /** The fold of the first entries of a journal. */
  async function folded(store: Store, nextSeq: number): Promise<LedgerState> {
    const state = createState()
    for await (const chunk of store.readFrom(0)) {
      for (const entry of entriesOf(chunk)) if (entry.seq < nextSeq) replay(state, entry)
    }
    return state
  }

  /** Requests from several clients at once; some are left open, some voided. */
  async function work(service: LedgerService, keyHash: Uint8Array, first: number): Promise<void> {
    const client = async (number: number): Promise<void> => {
      for (let index = 0; index < 20; index += 1) {
        const { holdId } = await service.authorise({
          keyHash,
          requestId: requestId(first + number * 1_000 + index),
          gateway: GATEWAY,
          model: MODEL,
          promptTokensMax: 10,
          maxTokens: 10,
        })
        if (index % 7 === 0) continue
        if (index % 5 === 0) await service.voidHold({ holdId, gateway: GATEWAY })
        else await service.settle(delivery(holdId, { promptTokens: 5, completionTokens: 5 }))
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, number) => client(number)))
  }

  /** A shop that has worked with snapshots, closed. */
  async function closedShop(options: { snapshotEveryEntries?: number } = {}) {
    const store = createMemoryStore()
    const shop = await openShop(
      { promo: 100_000n, paid: 10n ** 12n },
      { store, snapshots: shelf, snapshotEveryEntries: 50, ...options },
    )
    await work(shop.service, shop.keyHash, 0)
    await shop.service.stop()
    return { ...shop, store }
  }

  it('are what the journal folds to, although they are written while the ledger works', async () => {
    const { store } = await closedShop()
    const names = await readdir(directory)
    expect(names).toHaveLength(2)
    for (const name of names.sort().reverse()) {
      const restored = await restore()
      expect(name).toContain(String(restored?.head.nextSeq))
      expect(restored?.state).toEqual(await folded(store, restored?.head.nextSeq ?? 0))
      // The order is part of it: the oldest closed holds are forgotten first.
      const replayed = await folded(store, restored?.head.nextSeq ?? 0)
      expect([...(restored?.state.closedHolds ?? [])]).toEqual([...replayed.closedHolds])
      await rm(join(directory, name))
    }
  })

  it('are where the next start begins', async () => {
    const { store, keyHash, accountId } = await closedShop()
    const reads: number[] = []
    const watched: Store = {
      ...store,
      readFrom(seq) {
        reads.push(seq)
        return store.readFrom(seq)
      },
    }
    const { service, clock } = await openShopAgain(watched)
    // The test's random bytes begin again, so the time must differ for ids to be new.
    clock.nowMs += 1_000
    expect(reads).toEqual([store.head().nextSeq - 1])
    await work(service, keyHash, 100_000)
    expect((await service.verify()).problems).toEqual([])
    await service.stop()
    const { service: replayed } = await openShopAgain(store, false)
    const { service: restored } = await openShopAgain(store)
    expect(restored.balance(accountId)).toEqual(replayed.balance(accountId))
    expect(restored.openHolds()).toBe(replayed.openHolds())
  })

  async function openShopAgain(store: Store, hasSnapshots = true) {
    return openLedger(hasSnapshots ? { store, snapshots: shelf } : { store })
  }

  it('give way to the one before, and that to the journal, where they are damaged', async () => {
    const { store } = await closedShop()
    const [older = '', newest = ''] = (await readdir(directory)).sort()
    const bytes = await readFile(join(directory, newest))
    for (const at of [0, 3, 10, 40, 80, bytes.length >> 1, bytes.length - 3]) {
      const damaged = Uint8Array.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      await writeFile(join(directory, newest), damaged)
      expect((await restore())?.head.nextSeq, `byte ${at}`).toBe(Number.parseInt(older, 10))
    }
    await writeFile(join(directory, newest), bytes)
    for (const length of [bytes.length - 1, bytes.length >> 1, 20, 0]) {
      await truncate(join(directory, newest), length)
      expect((await restore())?.head.nextSeq, `${length} bytes`).toBe(Number.parseInt(older, 10))
      await writeFile(join(directory, newest), bytes)
    }
    await truncate(join(directory, newest), 50)
    await truncate(join(directory, older), 50)
    expect(await restore()).toBeUndefined()
    const { service } = await openShopAgain(store)
    expect(service.head()).toEqual(store.head())
    await service.stop()
  })

  it('of another kind of state are left alone', async () => {
    await closedShop()
    expect(await shelf.restore('2/other', () => createState())).toBeUndefined()
    expect(await readdir(directory)).toHaveLength(2)
  })

  it('tell that the journal has lost its end', async () => {
    const { store } = await closedShop()
    const cut = createMemoryStore()
    for await (const chunk of store.readFrom(0)) {
      if (chunk.firstSeq + chunk.count === store.head().nextSeq) break
      await cut.append(chunk)
    }
    const error = await openShopAgain(cut).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ facts: { journalDamaged: true } })
    expect(String(error)).toContain('ends before the snapshot')
  })

  it('tell that the journal is another one', async () => {
    await closedShop()
    const other = createMemoryStore()
    const shop = await openShop({ paid: 10n ** 12n }, { store: other })
    await work(shop.service, shop.keyHash, 500_000)
    await shop.service.createAccount({ kind: 'developer', label: 'one more' })
    await shop.service.stop()
    const error = await openShopAgain(other).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ facts: { journalDamaged: true } })
  })

  it('that cannot be written disturb nobody', async () => {
    const broken: SnapshotShelf = {
      ...shelf,
      save: () => Promise.reject(new Error('no space left on device')),
    }
    const store = createMemoryStore()
    const options = { store, snapshots: broken, snapshotEveryEntries: 10 }
    const shop = await openShop({ paid: 10n ** 12n }, options)
    await work(shop.service, shop.keyHash, 0)
    expect((await shop.service.verify()).problems).toEqual([])
    await shop.service.stop()
  })

  it('are not taken of a state that the disk did not take', async () => {
    const inner = createMemoryStore()
    let isFull = false
    const store: Store = {
      ...inner,
      append: (chunk) => (isFull ? Promise.reject(new Error('EIO')) : inner.append(chunk)),
    }
    const shop = await openShop({ paid: 10n ** 12n }, { store, snapshots: shelf })
    isFull = true
    const label = { kind: 'developer' as const, label: 'never there' }
    expect(await codeOf(shop.service.createAccount(label))).toBe('ledger_unavailable')
    await shop.service.stop()
    expect(await readdir(directory)).toEqual([])
  })

  it('are taken at the end only where the next start gains by it', async () => {
    await closedShop({ snapshotEveryEntries: 100_000 })
    expect(await readdir(directory)).toEqual([])
  })
})
