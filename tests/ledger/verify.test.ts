import { describe, expect, it } from 'vitest'
import type { Change, Entry } from '../../ledger/src/core/entry.ts'
import { entriesOf, sealChunk } from '../../ledger/src/store/chunk.ts'
import { createMemoryStore } from '../../ledger/src/store/memory-store.ts'
import type { Store } from '../../ledger/src/store/store.ts'
import { verifyBooks } from '../../ledger/src/verify.ts'
import { delivery, GATEWAY, MODEL, openShop, PROVIDER, requestId } from './fixture.ts'

/** Books with one captured, one claimed, one voided and one open hold. */
async function openBooks() {
  const { service, store, keyHash, clock } = await openShop({ promo: 15_000n, paid: 900_000n })
  const hold = async (number: number) => {
    const { holdId } = await service.authorise({
      keyHash,
      requestId: requestId(number),
      gateway: GATEWAY,
      model: MODEL,
      promptTokensMax: 10,
      maxTokens: 20,
    })
    return holdId
  }
  const usage = { promptTokens: 10, completionTokens: 5 }
  await service.settle(delivery(await hold(1), usage))
  const { gateway: _, signedByProvider: __, ...claim } = delivery(await hold(2), usage)
  await service.claim(claim)
  clock.nowMs += 60_000
  await service.expireDue()
  await service.voidHold({ holdId: await hold(3), gateway: GATEWAY })
  await hold(4)
  return store
}

/** The same books with one entry forged, sealed again so that every hash is right. */
async function forge(
  store: Store,
  change: (change: Change, entry: Entry) => Change | undefined,
): Promise<Store> {
  const forged = createMemoryStore()
  for await (const chunk of store.readFrom(0)) {
    const entries = entriesOf(chunk).map((entry) => ({
      ...entry,
      changes: entry.changes.flatMap((each) => change(each, entry) ?? []),
    }))
    await forged.append(sealChunk(forged.head(), entries))
  }
  return forged
}

const closing = (change: Change) =>
  change.type === 'holdClosed' && change.settlement?.source === 'gateway' ? change : undefined

/** Each way to falsify the books, and what the check says. */
const FORGERIES: [string, (change: Change) => Change | undefined, RegExp][] = [
  [
    'a capture above its price',
    (change) => {
      const closed = closing(change)
      if (closed?.settlement === undefined) return change
      const { settlement } = closed
      return { ...closed, settlement: { ...settlement, cost: settlement.cost + 1n } }
    },
    /not charged by its price list/,
  ],
  [
    'more tokens than were paid for',
    (change) => {
      const closed = closing(change)
      if (closed?.settlement === undefined) return change
      const usage = { ...closed.settlement.usage, completionTokens: 6 }
      return { ...closed, settlement: { ...closed.settlement, usage } }
    },
    /not charged by its price list/,
  ],
  [
    'a fee that is moved to the provider',
    (change) => {
      const closed = closing(change)
      if (closed?.settlement === undefined) return change
      const { fee, providerShare } = closed.settlement
      const split = { fee: fee - 1n, providerShare: providerShare + 1n }
      return { ...closed, settlement: { ...closed.settlement, ...split } }
    },
    /not charged by its price list/,
  ],
  [
    'one nano-USD less to the provider and one more to the fees',
    (change) => {
      if (change.type !== 'transfers') return change
      const transfers = change.transfers.map((each) => {
        if (each.kind === 'earning') return { ...each, amount: each.amount - 1n }
        return each.kind === 'fee' ? { ...each, amount: each.amount + 1n } : each
      })
      return { ...change, transfers }
    },
    /the transfers do not match/,
  ],
  [
    'money left in platform:settle',
    (change) => {
      if (change.type !== 'transfers') return change
      return { ...change, transfers: change.transfers.filter((each) => each.kind !== 'fee') }
    },
    /platform:settle is zero/,
  ],
  [
    'a capture without its receipt',
    (change) => {
      const closed = closing(change)
      if (closed === undefined) return change
      const { receipt: _, ...rest } = closed
      return rest
    },
    /captured without a receipt/,
  ],
  [
    'a claim that was dropped',
    (change) => (change.type === 'claim' ? undefined : change),
    /captured without a receipt/,
  ],
  [
    'a hold whose money was not set aside',
    (change) => {
      if (change.type !== 'transfers') return change
      const transfers = change.transfers.filter((each) => each.kind !== 'hold')
      return { ...change, transfers }
    },
    /there is no such reservation/,
  ],
  [
    'a deposit that never was',
    (change) => {
      if (change.type !== 'transfers') return change
      const transfers = change.transfers.filter((each) => each.kind !== 'deposit')
      return { ...change, transfers }
    },
    /does not hold enough/,
  ],
  [
    'a capture that is called a void',
    (change) => {
      const closed = closing(change)
      if (closed === undefined) return change
      const { settlement: _, receipt: __, ...rest } = closed
      return { ...rest, state: 'voided' }
    },
    /took money without a settlement/,
  ],
  [
    'two members with one token',
    (change) => (change.type === 'enrolment' ? undefined : change),
    /was entered before/,
  ],
]

describe('verifyBooks()', () => {
  it('adds up honest books', async () => {
    const report = await verifyBooks(await openBooks())
    expect(report).toMatchObject({
      problems: [],
      holds: { open: 1, captured: 2, voided: 1, expired: 0 },
      captures: 2,
      sumCaptured: 40_000n,
      sumReceipts: 40_000n,
      sumFees: 10_000n,
      sumProviderShares: 30_000n,
      customersPaid: 875_000n,
      customersPromo: 0n,
      customersHeld: 50_000n,
      providersMaturing: 30_000n,
    })
    expect(report.entries).toBe(report.head.nextSeq)
  })

  it.each(FORGERIES)('finds %s', async (_, change, problem) => {
    const honest = await openBooks()
    const { problems } = await verifyBooks(await forge(honest, change))
    expect(problems.join('\n')).toMatch(problem)
  })

  it('is not fooled by its own forging', async () => {
    const { problems } = await verifyBooks(await forge(await openBooks(), (change) => change))
    expect(problems).toEqual([])
  })

  it('reads each receipt where it can', async () => {
    const store = await openBooks()
    const usage = { promptTokens: 10, cachedTokens: 0, completionTokens: 5 }
    const said = (receipt: Uint8Array) => ({
      holdId: new TextDecoder().decode(receipt).replace('receipt of ', ''),
      provider: PROVIDER,
      usage,
    })
    expect((await verifyBooks(store, { readReceipt: said })).problems).toEqual([])
    const other = (receipt: Uint8Array) => ({ ...said(receipt), provider: 'mallory' })
    expect((await verifyBooks(store, { readReceipt: other })).problems).toHaveLength(2)
    const broken = (): never => {
      throw new Error('the receipt cannot be accepted')
    }
    const { problems } = await verifyBooks(store, { readReceipt: broken, problemsMax: 1 })
    expect(problems).toHaveLength(2)
    expect(problems[1]).toBe('and more')
  })

  it('says what is wrong with a broken chain', async () => {
    const store = await openBooks()
    const damaged: Store = {
      ...store,
      async *readFrom(seq) {
        let index = 0
        for await (const chunk of store.readFrom(seq)) {
          if (index !== 3) yield chunk
          index += 1
        }
      },
    }
    expect((await verifyBooks(damaged)).problems.join('\n')).toMatch(/follows entry 2/)
    const cut: Store = {
      ...store,
      async *readFrom(seq) {
        for await (const chunk of store.readFrom(seq)) if (chunk.firstSeq < 5) yield chunk
      },
    }
    expect((await verifyBooks(cut)).problems).toContain('the journal ends too early')
  })
})
