import type { NanoUsd } from '@lexora/protocol'
import { availableIn, type Transfer } from '../books.ts'
import { PAYOUTS_ACCOUNT, payableAccount } from '../chart.ts'
import type { Change } from '../entry.ts'
import type { Payout, PayoutBatch } from '../payouts.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import { type LedgerState, resolutionId } from '../state.ts'

/** Most payouts of one batch: what one entry of the journal can carry. */
const BATCH_LENGTH_MAX = 5_000
/** Operators who must approve: nobody pays alone. */
const APPROVALS_MIN = 2

/** Prepares a payout for every provider with enough to pay; the money is set aside at once. */
export function preparePayouts(
  state: LedgerState,
  command: { batchId: string; thresholdNanoUsd: NanoUsd; actor: string },
  nowMs: number,
): Decision<PayoutBatch> {
  const { batchId, thresholdNanoUsd, actor } = command
  const before = state.payouts.batches.get(batchId)
  if (before !== undefined) return accept(before)
  const payouts: Payout[] = []
  for (const { accountId, kind, state: now } of state.accounts.values()) {
    if (kind !== 'provider' || now !== 'active' || payouts.length >= BATCH_LENGTH_MAX) continue
    const amount = availableIn(state.books, payableAccount(accountId))
    if (amount <= 0n || amount < thresholdNanoUsd) continue
    const payoutId = `${batchId}.${payouts.length + 1}`
    payouts.push({ payoutId, batchId, accountId, amount, state: 'prepared' })
  }
  if (payouts.length === 0) return refuse('not_found', 'nobody has enough to be paid')
  const batch: PayoutBatch = {
    batchId,
    thresholdNanoUsd,
    preparedBy: actor,
    preparedAtMs: nowMs,
    payoutIds: payouts.map((payout) => payout.payoutId),
    approvals: [],
  }
  return accept(batch, [
    { type: 'transfers', transfers: payouts.map(reserve) },
    { type: 'payoutBatch', batch },
    ...payouts.map(change),
  ])
}

/** Approves a batch. Two different operators make it good; the same one again counts once. */
export function approvePayouts(
  state: LedgerState,
  command: { batchId: string; actor: string },
): Decision<PayoutBatch> {
  const before = state.payouts.batches.get(command.batchId)
  if (before === undefined) return refuse('not_found', 'there is no such batch')
  if (before.approvals.includes(command.actor)) return accept(before)
  const batch: PayoutBatch = { ...before, approvals: [...before.approvals, command.actor] }
  const isGood = batch.approvals.length === APPROVALS_MIN
  const waiting = isGood ? payoutsOf(state, batch) : []
  const approved = waiting
    .filter((payout) => payout.state === 'prepared')
    .map((payout) => change({ ...payout, state: 'approved' }))
  return accept(batch, [{ type: 'payoutBatch', batch }, ...approved])
}

/** What somebody who pays says of a payout. */
export interface PayoutResult {
  payoutId: string
  state: 'paid' | 'failed' | 'reversed'
  note: string
}

/** Enters how a payout went: failed ones go back to what is payable, and paid ones that came back as well. */
export function markPayout(state: LedgerState, result: PayoutResult): Decision<Payout> {
  const before = state.payouts.payouts.get(result.payoutId)
  if (before === undefined) return refuse('not_found', 'there is no such payout')
  if (before.state === result.state) return accept(before)
  const payout: Payout = { ...before, state: result.state, note: result.note }
  const pendingId = transferId(before)
  const id = resolutionId(pendingId)
  // What nobody approved cannot have been paid; it can still be called off.
  const isCalledOff = before.state === 'prepared' && result.state === 'failed'
  if (before.state === 'approved' || isCalledOff) {
    if (result.state === 'paid') {
      const { amount } = before
      return accept(payout, [moves({ id, kind: 'capture', pendingId, amount }), change(payout)])
    }
    if (result.state === 'failed') {
      return accept(payout, [moves({ id, kind: 'void', pendingId }), change(payout)])
    }
  }
  if (before.state === 'paid' && result.state === 'reversed') {
    const back = moves({
      id: `${pendingId}/returned`,
      kind: 'payout_return',
      debit: PAYOUTS_ACCOUNT,
      credit: payableAccount(before.accountId),
      amount: before.amount,
    })
    return accept(payout, [back, change(payout)])
  }
  return refuse('conflict', `a payout that is ${before.state} cannot become ${result.state}`)
}

/** The payouts of a batch. */
export function payoutsOf(state: LedgerState, batch: PayoutBatch): Payout[] {
  return batch.payoutIds.flatMap((id) => state.payouts.payouts.get(id) ?? [])
}

function reserve({ payoutId, accountId, amount }: Payout): Transfer {
  const debit = payableAccount(accountId)
  return { id: `payout:${payoutId}`, kind: 'payout', debit, credit: PAYOUTS_ACCOUNT, amount }
}

function transferId({ payoutId }: Payout): string {
  return `payout:${payoutId}`
}

function moves(transfer: Transfer): Change {
  return { type: 'transfers', transfers: [transfer] }
}

function change(payout: Payout): Change {
  return { type: 'payout', payout }
}
