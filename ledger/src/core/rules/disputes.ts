import type { NanoUsd } from '@lexora/protocol'
import { availableIn, type Transfer } from '../books.ts'
import { CLEARING_ACCOUNT, paidAccount } from '../chart.ts'
import type { Change } from '../entry.ts'
import type { Dispute, Payment } from '../payments.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import { type LedgerState, resolutionId } from '../state.ts'
import { bringIn, takeBack } from './debt.ts'

/** A dispute as the payment company has it now. */
export type DisputeNews = Pick<Dispute, 'disputeId' | 'paymentId' | 'amount' | 'state'>

interface Facts {
  payment: Payment
  before: Dispute | undefined
  news: DisputeNews
}

/**
 * Follows a dispute: while it is open the credit is frozen as far as there is any; won or closed frees it; lost takes
 * it, and what is missing is owed. One that is opened again begins another round.
 */
export function mergeDispute(state: LedgerState, news: DisputeNews): Decision<Dispute> {
  const payment = state.bought.payments.get(news.paymentId)
  if (payment?.creditedAtMs === undefined) return refuse('not_found', 'there is no such payment')
  const before = state.bought.disputes.get(news.disputeId)
  if (before !== undefined && before.paymentId !== news.paymentId) {
    return refuse('conflict', 'this dispute is about another payment')
  }
  if (before?.state === news.state) return accept(before)
  const facts = { payment, before, news }
  if (news.state === 'open') return openRound(state, facts)
  return news.state === 'lost' ? lose(state, facts) : prevail(state, facts)
}

function openRound(state: LedgerState, { payment, before, news }: Facts): Decision<Dispute> {
  const { accountId } = payment
  const cycle = (before?.cycle ?? 0) + 1
  // What an earlier round took stays with the bank until this one is decided.
  const wanted = news.amount - (before?.takenNanoUsd ?? 0n) - (before?.owedNanoUsd ?? 0n)
  const available = availableIn(state.books, paidAccount(accountId))
  const heldNanoUsd = wanted < available ? wanted : available
  const taken = { takenNanoUsd: 0n, owedNanoUsd: 0n }
  const dispute: Dispute = { ...taken, accountId, ...before, ...news, cycle, heldNanoUsd }
  const hold: Transfer = {
    id: holdId(dispute),
    kind: 'dispute',
    debit: paidAccount(accountId),
    credit: CLEARING_ACCOUNT,
    amount: heldNanoUsd,
  }
  return accept(dispute, [...(heldNanoUsd > 0n ? [moves(hold)] : []), { type: 'dispute', dispute }])
}

function lose(state: LedgerState, { payment, before, news }: Facts): Decision<Dispute> {
  const { accountId } = payment
  const freed = before?.heldNanoUsd ?? 0n
  const earlier = (before?.takenNanoUsd ?? 0n) + (before?.owedNanoUsd ?? 0n)
  const cycle = decidingCycle(before)
  const id = `dispute:${news.disputeId}:${cycle}/lost`
  const split = takeBack(state, accountId, { id, amount: news.amount - earlier, freed })
  const dispute: Dispute = {
    accountId,
    ...news,
    cycle,
    heldNanoUsd: 0n,
    takenNanoUsd: (before?.takenNanoUsd ?? 0n) + split.credit,
    owedNanoUsd: (before?.owedNanoUsd ?? 0n) + split.debt,
  }
  return accept(dispute, [
    ...released(before),
    ...split.changes,
    { type: 'dispute', dispute },
    disputed(payment, split.credit),
  ])
}

/** Won or closed: the frozen credit is free, and what an earlier round took comes back. */
function prevail(state: LedgerState, { payment, before, news }: Facts): Decision<Dispute> {
  const { accountId } = payment
  const cycle = decidingCycle(before)
  const none = { heldNanoUsd: 0n, takenNanoUsd: 0n, owedNanoUsd: 0n }
  const dispute: Dispute = { accountId, ...news, cycle, ...none }
  const changes: Change[] = [...released(before)]
  const taken = before?.takenNanoUsd ?? 0n
  const amount = taken + (before?.owedNanoUsd ?? 0n)
  if (amount > 0n) {
    const id = `dispute:${news.disputeId}:${cycle}/${news.state}`
    changes.push(...bringIn(state, accountId, { id, amount, kind: 'chargeback_return' }).changes)
    changes.push(disputed(payment, -taken))
  }
  return accept(dispute, [...changes, { type: 'dispute', dispute }])
}

/** A word that overturns an earlier one has transfers of its own. */
function decidingCycle(before: Dispute | undefined): number {
  if (before === undefined) return 1
  return before.state === 'open' ? before.cycle : before.cycle + 1
}

function released(before: Dispute | undefined): Change[] {
  if (before === undefined || before.heldNanoUsd === 0n) return []
  const pendingId = holdId(before)
  return [moves({ id: resolutionId(pendingId), kind: 'void', pendingId })]
}

function holdId({ disputeId, cycle }: Dispute): string {
  return `dispute:${disputeId}:${cycle}`
}

function moves(transfer: Transfer): Change {
  return { type: 'transfers', transfers: [transfer] }
}

function disputed(payment: Payment, amount: NanoUsd): Change {
  const disputedNanoUsd = payment.disputedNanoUsd + amount
  return { type: 'payment', payment: { ...payment, disputedNanoUsd } }
}
