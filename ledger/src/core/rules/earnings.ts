import type { NanoUsd } from '@lexora/protocol'
import { totalsOf } from '../books.ts'
import { maturingAccount, payableAccount, REVERSALS_ACCOUNT } from '../chart.ts'
import type { Change } from '../entry.ts'
import { type Earned, earnedKey, maturesAtMs } from '../payouts.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import type { LedgerState } from '../state.ts'

/** What became of everything that a provider has earned. `earned` is the sum of the five others. */
export interface Earnings {
  earnedNanoUsd: NanoUsd
  /** Held back: it may still be taken back. */
  maturingNanoUsd: NanoUsd
  /** Waits for the next payout. */
  payableNanoUsd: NanoUsd
  /** In a payout that is not paid yet. */
  inPayoutNanoUsd: NanoUsd
  paidNanoUsd: NanoUsd
  reversedNanoUsd: NanoUsd
}

/** The one formula for what a provider has earned: every page, command and interface shows what this says. */
export function earningsOf(state: LedgerState, accountId: string): Earnings {
  const maturing = totalsOf(state.books, maturingAccount(accountId))
  const payable = totalsOf(state.books, payableAccount(accountId))
  const returned = state.payouts.returned.get(accountId) ?? 0n
  return {
    earnedNanoUsd: maturing.creditsPosted,
    maturingNanoUsd: maturing.creditsPosted - maturing.debitsPosted,
    payableNanoUsd: payable.creditsPosted - payable.debitsPosted - payable.debitsPending,
    inPayoutNanoUsd: payable.debitsPending,
    paidNanoUsd: payable.debitsPosted - returned,
    reversedNanoUsd: state.payouts.reversed.get(accountId) ?? 0n,
  }
}

/** Earnings whose hold-back is over, oldest day first. */
export function dueEarnings(state: LedgerState, holdBackMs: number, nowMs: number): Earned[] {
  return [...state.payouts.maturing.values()].filter(
    ({ day }) => maturesAtMs(day, holdBackMs) <= nowMs,
  )
}

/** Makes a day's earnings payable once their hold-back is over. Again is harmless. */
export function matureEarnings(
  state: LedgerState,
  command: { accountId: string; day: number; holdBackMs: number },
  nowMs: number,
): Decision<NanoUsd> {
  const { accountId, day, holdBackMs } = command
  const earned = state.payouts.maturing.get(earnedKey(command))
  if (earned === undefined || maturesAtMs(day, holdBackMs) > nowMs) return accept(0n)
  const { amount } = earned
  const maturation = {
    // After a clock that went back, a day may mature in two parts.
    id: `mature:${accountId}:${day}:${state.nextSeq}`,
    kind: 'maturation' as const,
    debit: maturingAccount(accountId),
    credit: payableAccount(accountId),
    amount,
  }
  return accept(amount, [
    { type: 'transfers', transfers: [maturation] },
    { type: 'earningsMatured', accountId, day },
  ])
}

/** Takes back earnings that are not payable yet, the newest first. Throws nothing away: the platform's reversals have them. */
export function reverseEarnings(
  state: LedgerState,
  command: { accountId: string; amount: NanoUsd; id: string },
): Decision<{ repeated: boolean }> {
  const { accountId, amount } = command
  const id = `reversal:${accountId}:${command.id}`
  const before = state.books.transfers.get(id)?.transfer
  if (before !== undefined) {
    return 'amount' in before && before.amount === amount
      ? accept({ repeated: true })
      : refuse('conflict', 'this id was used for another reversal')
  }
  const days = [...state.payouts.maturing.values()].filter((each) => each.accountId === accountId)
  const changes: Change[] = []
  let left = amount
  for (const earned of days.sort((a, b) => b.day - a.day)) {
    const taken = left < earned.amount ? left : earned.amount
    left -= taken
    if (taken > 0n) {
      changes.push({ type: 'earningsReversed', accountId, day: earned.day, amount: taken })
    }
  }
  if (amount <= 0n || left > 0n) {
    return refuse('insufficient_credit', 'more than the account has maturing', {
      maturingNanoUsd: (amount - left).toString(),
    })
  }
  const debit = maturingAccount(accountId)
  const kind = 'earning_reversal' as const
  const transfer = { id, kind, debit, credit: REVERSALS_ACCOUNT, amount }
  return accept({ repeated: false }, [{ type: 'transfers', transfers: [transfer] }, ...changes])
}
