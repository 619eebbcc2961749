import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { describe, expect, it, vi } from 'vitest'
import type { LedgerService } from '../../ledger/src/service.ts'
import { EMPTY_HEAD } from '../../ledger/src/store/chunk.ts'
import { initLevelStore, openLevelStore } from '../../ledger/src/store/level-store.ts'
import { createMemoryStore } from '../../ledger/src/store/memory-store.ts'
import type { Store } from '../../ledger/src/store/store.ts'
import { nextChunk } from '../compliance/ledger-store-suite.ts'
import { codeOf, delivery, GATEWAY, MODEL, openLedger, openShop, requestId } from './fixture.ts'

/** Lets everything run that is due. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const CREDIT = 10n ** 12n
const REQUESTS = 24
const USAGE = { promptTokens: 5, completionTokens: 5 }

/** Fails every append from one on; `late`: after the bytes have reached the disk, as a failed fdatasync may. */
function failingStore(inner: Store, error: Error, isLate: boolean) {
  const disk = { appendsLeft: Number.POSITIVE_INFINITY, failed: 0 }
  const store: Store = {
    ...inner,
    async append(chunk) {
      disk.appendsLeft -= 1
      if (disk.appendsLeft >= 0) return inner.append(chunk)
      disk.failed += 1
      if (isLate && disk.failed === 1) await inner.append(chunk)
      throw error
    },
  }
  return { store, disk }
}

function authorise(service: LedgerService, keyHash: Uint8Array, number: number) {
  const request = { keyHash, requestId: requestId(number), gateway: GATEWAY, model: MODEL }
  return service.authorise({ ...request, promptTokensMax: 10, maxTokens: 10 })
}

describe('a disk that fails', () => {
  const errors = {
    'has no space left': Object.assign(new Error('IO error: no space left'), { code: 'ENOSPC' }),
    'is read-only': Object.assign(new Error('IO error: read-only'), { code: 'EROFS' }),
    'cannot sync': Object.assign(new Error('IO error: input/output'), { code: 'EIO' }),
  }
  const cases = Object.entries(errors).flatMap(([what, error]) =>
    [0, 1, 2, 5].flatMap((after) =>
      [false, true].map((isLate) => ({ what, error, after, isLate })),
    ),
  )

  it.each(cases)(
    '$what after $after writes (late: $isLate): nothing answered is lost',
    async (one) => {
      const inner = createMemoryStore()
      const { store, disk } = failingStore(inner, one.error, one.isLate)
      const fatal: unknown[] = []
      const shop = await openShop(
        { paid: CREDIT },
        { store, onFatal: (error) => fatal.push(error) },
      )
      const { service, keyHash, accountId } = shop
      disk.appendsLeft = one.after
      const held = new Map<number, string>()
      const settled: string[] = []
      const client = async (number: number): Promise<void> => {
        const { holdId } = await authorise(service, keyHash, number)
        held.set(number, holdId)
        await service.settle(delivery(holdId, USAGE))
        settled.push(holdId)
      }
      // Not all in one turn, so that there are several groups.
      const clients = Array.from({ length: REQUESTS }, async (_, number) => {
        for (let wait = 0; wait < number % 6; wait += 1) await turn()
        return codeOf(client(number))
      })
      expect(new Set(await Promise.all(clients))).toContain('ledger_unavailable')
      expect(fatal).toEqual([one.error])
      expect(disk.failed).toBe(1)
      expect(await codeOf(authorise(service, keyHash, 999))).toBe('ledger_unavailable')
      expect(disk.failed).toBe(1)
      await service.stop()

      // The process ends here; the next one finds what the disk took.
      const next = await openLedger({ store: inner })
      next.clock.nowMs += 1_000
      for (const holdId of settled) {
        const again = await next.service.settle(delivery(holdId, USAGE))
        expect(again.alreadySettled).toBe(true)
      }
      for (const [number, holdId] of held) {
        if (settled.includes(holdId)) continue
        expect(
          (
            await authorise(next.service, keyHash, number).catch((error: unknown) => ({
              holdId: (error as { facts: Record<string, unknown> }).facts['holdId'],
            }))
          ).holdId,
        ).toBe(holdId)
      }
      // Whoever got no answer asks again with the same id: one hold each, whatever had been written.
      for (let number = 0; number < REQUESTS; number += 1) {
        const hold = await authorise(next.service, keyHash, number).catch(() => undefined)
        if (hold !== undefined) await next.service.settle(delivery(hold.holdId, USAGE))
      }
      const report = await next.service.verify()
      expect(report.problems).toEqual([])
      expect(report.captures).toBe(REQUESTS)
      expect(next.service.balance(accountId).paidNanoUsd).toBe(CREDIT - report.sumReceipts)
      expect(next.service.openHolds()).toBe(0)
      await next.service.stop()
    },
  )
})

describe('a journal that cannot be opened for writing', () => {
  it.each([
    ['Read-only file system', 'ledger_unavailable'],
    ['Permission denied', 'ledger_unavailable'],
    ['No space left on device', 'storage_full'],
    ['Corruption: bad record', 'internal'],
  ])('says so where LevelDB says %s', async (text, code) => {
    const directory = await mkdtemp(join(tmpdir(), 'lexora-disk-'))
    const journal = join(directory, 'journal')
    await initLevelStore(journal, nextChunk(EMPTY_HEAD, 1))
    const cause = Object.assign(new Error(`IO error: ${journal}/LOCK: ${text}`), {
      code: 'LEVEL_IO_ERROR',
    })
    const open = vi
      .spyOn(Level.prototype, 'open')
      .mockRejectedValue(Object.assign(new Error('Database failed to open'), { cause }))
    expect(await codeOf(openLevelStore(journal))).toBe(code)
    open.mockRestore()
    expect(await codeOf(openLevelStore(journal).then((store) => store.close()))).toBe('ok')
    await rm(directory, { recursive: true })
  })
})
