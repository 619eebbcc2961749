import { assert, type NanoUsd } from '@lexora/protocol'
import { Table } from './table.ts'

/** How a payout goes on. `reversed`: it was paid and came back. */
export type PayoutState = 'prepared' | 'approved' | 'paid' | 'failed' | 'reversed'

/** Money for one provider. Where it goes is known to whoever pays and not here. */
export interface Payout {
  payoutId: string
  batchId: string
  accountId: string
  amount: NanoUsd
  state: PayoutState
  /** What the bank calls it, or why it failed. */
  note?: string
}

/** Payouts that are approved together. */
export interface PayoutBatch {
  batchId: string
  thresholdNanoUsd: NanoUsd
  preparedBy: string
  preparedAtMs: number
  payoutIds: string[]
  /** Operators who approved: two different ones make it good. */
  approvals: string[]
}

/** A change of what providers have earned. */
export type PayoutChange =
  | { type: 'earningsMatured'; accountId: string; day: number }
  | { type: 'earningsReversed'; accountId: string; day: number; amount: NanoUsd }
  | { type: 'payoutBatch'; batch: PayoutBatch }
  | { type: 'payout'; payout: Payout }

/** What providers have earned and were paid: part of the ledger's state. */
export interface PayoutBook {
  /** By day (UTC, since 1970) and account, what is held back; days in order, as far as the clock is. */
  maturing: Map<string, Earned>
  /** By account, what was taken back before it was payable. */
  reversed: Map<string, NanoUsd>
  /** By account, what was paid and came back. */
  returned: Map<string, NanoUsd>
  batches: Map<string, PayoutBatch>
  payouts: Map<string, Payout>
}

/** What an account earned on one day. */
export interface Earned {
  accountId: string
  day: number
  amount: NanoUsd
}

/** Nothing earned. */
export function createPayoutBook(): PayoutBook {
  return {
    maturing: new Table(),
    reversed: new Table(),
    returned: new Table(),
    batches: new Table(),
    payouts: new Table(),
  }
}

const DAY_MS = 86_400_000

/** Counts a provider's share of a captured hold. */
export function countEarned(
  book: PayoutBook,
  earned: { accountId: string; amount: NanoUsd },
  atMs: number,
): void {
  if (earned.amount === 0n) return
  const day = Math.floor(atMs / DAY_MS)
  addEarned(book, { accountId: earned.accountId, day }, earned.amount)
}

/** Enters a change of what providers have earned. */
export function enterPayout(book: PayoutBook, change: PayoutChange): void {
  switch (change.type) {
    case 'earningsMatured':
      assert(book.maturing.delete(earnedKey(change)), 'earnings mature once')
      return
    case 'earningsReversed':
      addEarned(book, change, -change.amount)
      book.reversed.set(
        change.accountId,
        (book.reversed.get(change.accountId) ?? 0n) + change.amount,
      )
      return
    case 'payoutBatch':
      book.batches.set(change.batch.batchId, change.batch)
      return
    case 'payout': {
      const { payout } = change
      const before = book.payouts.get(payout.payoutId)
      book.payouts.set(payout.payoutId, payout)
      if (payout.state !== 'reversed' || before?.state === 'reversed') return
      const { accountId, amount } = payout
      book.returned.set(accountId, (book.returned.get(accountId) ?? 0n) + amount)
    }
  }
}

/** Key of a day's earnings of an account. */
export function earnedKey({ accountId, day }: { accountId: string; day: number }): string {
  return `${day}/${accountId}`
}

/** When earnings of a day become payable: the hold-back after the day's end. Unix ms. */
export function maturesAtMs(day: number, holdBackMs: number): number {
  return (day + 1) * DAY_MS + holdBackMs
}

function addEarned(
  book: PayoutBook,
  { accountId, day }: { accountId: string; day: number },
  amount: NanoUsd,
): void {
  const key = earnedKey({ accountId, day })
  const sum = (book.maturing.get(key)?.amount ?? 0n) + amount
  assert(sum >= 0n, 'no more is taken back than was earned')
  if (sum === 0n) book.maturing.delete(key)
  else book.maturing.set(key, { accountId, day, amount: sum })
}
