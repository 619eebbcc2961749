import type { NanoUsd } from '@lexora/protocol'
import type { Transfer } from './core/books.ts'
import { totalsOf } from './core/books.ts'
import { maturingAccount, payableAccount } from './core/chart.ts'
import type { LedgerState } from './core/state.ts'

/** What bought money has frozen: refunds on their way and open disputes. */
export function frozenByPayments(state: LedgerState): NanoUsd {
  let frozen = 0n
  for (const id of state.bought.openRefunds) frozen += state.bought.refunds.get(id)?.amount ?? 0n
  for (const { heldNanoUsd } of state.bought.disputes.values()) frozen += heldNanoUsd
  return frozen
}

/** What is wrong with bought and paid-out money, one line each. */
export function paymentProblems(state: LedgerState): string[] {
  return [...creditProblems(state), ...refundProblems(state), ...providerProblems(state)]
}

/** Every captured payment is credited exactly once and for its amount, and nothing else is. */
function creditProblems(state: LedgerState): string[] {
  const problems: string[] = []
  const amountAt = (id: string): NanoUsd => amountOf(state.books.transfers.get(id)?.transfer)
  let credits = 0
  for (const payment of state.bought.payments.values()) {
    const { paymentId, creditedAtMs, creditedNanoUsd, repaidNanoUsd, amount } = payment
    if (creditedAtMs === undefined) continue
    const id = `topup:${paymentId}`
    if (creditedNanoUsd > 0n) credits += 1
    const isExact =
      amountAt(id) === creditedNanoUsd &&
      amountAt(`${id}/debt`) === repaidNanoUsd &&
      creditedNanoUsd + repaidNanoUsd === amount
    if (!isExact) problems.push(`payment ${paymentId} was not credited for its amount`)
    if (payment.refundedNanoUsd + payment.disputedNanoUsd > amount) {
      problems.push(`payment ${paymentId} was given back more than once`)
    }
  }
  const moved = [...state.books.transfers.values()].filter(
    ({ transfer }) => transfer.kind === 'topup',
  )
  if (moved.length !== credits) {
    problems.push(`${moved.length} credits for ${credits} credited payments`)
  }
  return problems
}

/** The refunds of a payment come to what its record says. */
function refundProblems(state: LedgerState): string[] {
  const sums = new Map<string, NanoUsd>()
  for (const { paymentId, state: now, amount } of state.bought.refunds.values()) {
    if (now === 'failed' || now === 'returned') continue
    sums.set(paymentId, (sums.get(paymentId) ?? 0n) + amount)
  }
  return [...state.bought.payments.values()]
    .filter(({ paymentId, refundedNanoUsd }) => refundedNanoUsd !== (sums.get(paymentId) ?? 0n))
    .map(({ paymentId }) => `the refunds of payment ${paymentId} do not come to its record`)
}

/** What is held back and what is being paid out is exactly what the accounts hold. */
function providerProblems(state: LedgerState): string[] {
  const { maturing: days, payouts } = state.payouts
  const maturing = sumsOf(days.values())
  const isLeaving = ['prepared', 'approved']
  const leaving = sumsOf([...payouts.values()].filter((each) => isLeaving.includes(each.state)))
  const problems: string[] = []
  for (const { accountId, kind } of state.accounts.values()) {
    if (kind !== 'provider') continue
    const held = totalsOf(state.books, maturingAccount(accountId))
    const payable = totalsOf(state.books, payableAccount(accountId))
    if (held.creditsPosted - held.debitsPosted !== (maturing.get(accountId) ?? 0n)) {
      problems.push(`${accountId}: the days that mature do not come to what is held back`)
    }
    if (payable.debitsPending !== (leaving.get(accountId) ?? 0n)) {
      problems.push(`${accountId}: the payouts do not come to what is set aside`)
    }
  }
  return problems
}

function sumsOf(
  all: Iterable<{ accountId: string; amount: NanoUsd }>,
): ReadonlyMap<string, NanoUsd> {
  const sums = new Map<string, NanoUsd>()
  for (const { accountId, amount } of all) {
    sums.set(accountId, (sums.get(accountId) ?? 0n) + amount)
  }
  return sums
}

function amountOf(transfer: Transfer | undefined): NanoUsd {
  return transfer !== undefined && 'amount' in transfer ? transfer.amount : 0n
}
