import { PRICES_NOTICE, type PriceList, priceListCodec } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import { createPriceBook } from '../../../gateway/src/billing/price-book.ts'
import { testLog } from '../fixture.ts'
import { ScriptedLedger } from '../scripted-ledger.ts'

const list = (version: number): PriceList => ({
  version,
  effectiveAtMs: 1,
  feeBasisPoints: 500,
  models: [{ model: 'm', inputNanoUsd: 1n, cachedInputNanoUsd: 0n, outputNanoUsd: 2n }],
})

describe('price book', () => {
  it('knows nothing before the ledger was reached', () => {
    expect(createPriceBook({ log: testLog().log }).current()).toBeUndefined()
  })

  it('takes the newest list, asked for or pushed, in whatever order they come', async () => {
    const ledger = new ScriptedLedger('gateway')
    const book = createPriceBook({ log: testLog().log })
    const push = book.notices[PRICES_NOTICE]
    ledger.priceList = list(2)
    book.refresh(ledger)
    await expect.poll(() => book.current()?.version).toBe(2)
    push?.(priceListCodec.encode(list(4)))
    expect(book.current()).toEqual(list(4))
    push?.(priceListCodec.encode(list(3)))
    ledger.priceList = list(1)
    book.refresh(ledger)
    await new Promise((resolve) => setImmediate(resolve))
    expect(book.current()?.version).toBe(4)
  })

  it('keeps what it knows when the ledger is away or pushes nonsense', async () => {
    const ledger = new ScriptedLedger('gateway')
    const logged = testLog()
    const book = createPriceBook(logged)
    ledger.priceList = list(2)
    book.refresh(ledger)
    await expect.poll(() => book.current()?.version).toBe(2)
    ledger.goAway()
    book.refresh(ledger)
    await expect.poll(() => logged.lines).toMatchObject([{ code: 'ledger_unavailable' }])
    expect(() => book.notices[PRICES_NOTICE]?.(new Uint8Array([255]))).toThrow(
      expect.objectContaining({ code: 'malformed' }) as Error,
    )
    expect(book.current()?.version).toBe(2)
  })
})
