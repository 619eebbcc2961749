import { LexoraError } from '@lexora/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import type { Entry } from '../../ledger/src/core/entry.ts'
import {
  type Chunk,
  EMPTY_HEAD,
  entriesOf,
  type Head,
  sealChunk,
} from '../../ledger/src/store/chunk.ts'
import type { Store } from '../../ledger/src/store/store.ts'

/** How the suite gets at one implementation. */
export interface LedgerStoreSetup {
  /** A new store that holds this one chunk. */
  create(genesis: Chunk): Promise<Store>
  /** The same store after a restart; absent where nothing outlives the process. */
  reopen?: () => Promise<Store>
  /** Clears up. */
  teardown(): Promise<void>
}

/** An entry that says which one it is. */
function numbered(seq: number): Entry {
  const key = { model: `model ${seq}`, inputNanoUsd: BigInt(seq), cachedInputNanoUsd: 0n }
  const list = {
    version: seq + 1,
    effectiveAtMs: seq,
    feeBasisPoints: 0,
    models: [{ ...key, outputNanoUsd: 2n ** 60n }],
  }
  return { seq, atMs: 1_000 + seq, changes: [{ type: 'prices', list }] }
}

/** The chunk with the next `count` entries after a head. */
export function nextChunk(head: Head, count: number): Chunk {
  const entries = Array.from({ length: count }, (_, index) => numbered(head.nextSeq + index))
  return sealChunk(head, entries)
}

/** Every sequence number that reading from `seq` gives. */
export async function readSeqs(store: Store, seq: number): Promise<number[]> {
  const seqs: number[] = []
  for await (const chunk of store.readFrom(seq)) {
    for (const entry of entriesOf(chunk)) seqs.push(entry.seq)
  }
  return seqs
}

/** What every store of the ledger must do. */
export function ledgerStoreSuite(name: string, setup: LedgerStoreSetup): void {
  describe(`${name}: ledger store`, () => {
    afterEach(() => setup.teardown())

    async function filled(...counts: number[]): Promise<Store> {
      const store = await setup.create(nextChunk(EMPTY_HEAD, 1))
      for (const count of counts) await store.append(nextChunk(store.head(), count))
      return store
    }

    it('begins with its first chunk', async () => {
      const store = await filled()
      expect(store.head().nextSeq).toBe(1)
      expect(await readSeqs(store, 0)).toEqual([0])
      await store.close()
    })

    it('gives back what was appended, in order and to the last bit', async () => {
      const store = await filled(3, 1, 2)
      const entries: Entry[] = []
      for await (const chunk of store.readFrom(0)) entries.push(...entriesOf(chunk))
      expect(entries).toEqual([0, 1, 2, 3, 4, 5, 6].map(numbered))
      await store.close()
    })

    it('moves its head with each chunk', async () => {
      const store = await filled()
      const chunk = nextChunk(store.head(), 5)
      await store.append(chunk)
      expect(store.head()).toEqual({ nextSeq: 6, hash: chunk.hash })
      await store.close()
    })

    it('reads from the chunk that holds an entry', async () => {
      const store = await filled(3, 1, 2)
      expect(await readSeqs(store, 2)).toEqual([1, 2, 3, 4, 5, 6])
      expect(await readSeqs(store, 4)).toEqual([4, 5, 6])
      expect(await readSeqs(store, 6)).toEqual([5, 6])
      expect(await readSeqs(store, 7)).toEqual([])
      await store.close()
    })

    it('refuses a chunk that does not follow', async () => {
      const store = await filled(2)
      const head = store.head()
      const wrong = [
        nextChunk({ ...head, nextSeq: head.nextSeq + 1 }, 1),
        nextChunk({ ...head, nextSeq: head.nextSeq - 1 }, 1),
        nextChunk({ ...head, hash: EMPTY_HEAD.hash }, 1),
      ]
      for (const chunk of wrong) {
        const error = await store.append(chunk).catch((caught: unknown) => caught)
        expect(error).toBeInstanceOf(LexoraError)
        expect(error).toMatchObject({ code: 'conflict' })
      }
      expect(store.head()).toEqual(head)
      expect(await readSeqs(store, 0)).toEqual([0, 1, 2])
      await store.close()
    })

    it('reads what was there when the reading began', async () => {
      const store = await filled(1, 1)
      const seqs: number[] = []
      for await (const chunk of store.readFrom(0)) {
        if (chunk.firstSeq === 0) await store.append(nextChunk(store.head(), 1))
        seqs.push(chunk.firstSeq)
      }
      expect(seqs).toEqual([0, 1, 2])
      expect(await readSeqs(store, 0)).toEqual([0, 1, 2, 3])
      await store.close()
    })

    it('may be closed twice', async () => {
      const store = await filled()
      await store.close()
      await store.close()
    })

    const { reopen } = setup
    if (reopen === undefined) return
    it('is the same after a restart', async () => {
      const store = await filled(3, 1, 2)
      const head = store.head()
      await store.close()
      const again = await reopen()
      expect(again.head()).toEqual(head)
      await again.append(nextChunk(head, 1))
      expect(await readSeqs(again, 5)).toEqual([5, 6, 7])
      await again.close()
    })
  })
}
