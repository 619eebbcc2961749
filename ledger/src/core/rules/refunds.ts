import { NANO_USD_PER_CENT, type NanoUsd } from '@lexora/protocol'
import { availableIn, type Transfer } from '../books.ts'
import { CLEARING_ACCOUNT, paidAccount } from '../chart.ts'
import type { Change } from '../entry.ts'
import { type Payment, type Refund, remainderOf } from '../payments.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import { type LedgerState, resolutionId } from '../state.ts'
import { bringIn, takeBack } from './debt.ts'

/** The payment company refunds no payment that is older: six months, less a week to be sure. */
const REFUND_AGE_MS = 175 * 24 * 60 * 60 * 1_000

/** Asks for the unused part of a payment, or less of it. */
export type RefundCommand = Pick<
  Refund,
  'refundId' | 'paymentId' | 'accountId' | 'speed' | 'reason'
> & {
  /** Absent: all that is unused. */
  amount?: NanoUsd
}

/** Reserves the credit at once, so that it cannot be spent while the refund is on its way. */
export function requestRefund(
  state: LedgerState,
  command: RefundCommand,
  nowMs: number,
): Decision<Refund> {
  const { amount: wanted, ...what } = command
  const before = state.bought.refunds.get(command.refundId)
  if (before !== undefined) {
    return isSameRefund(before, command)
      ? accept(before)
      : refuse('conflict', 'this id was used for another refund')
  }
  const payment = state.bought.payments.get(command.paymentId)
  if (payment?.accountId !== command.accountId || payment.creditedAtMs === undefined) {
    return refuse('not_found', 'there is no such payment')
  }
  const refused = refusePayment(state, payment, nowMs)
  if (refused !== undefined) return refused
  const refundable = refundableOf(state, payment)
  const amount = wanted ?? refundable
  if (amount <= 0n || amount % NANO_USD_PER_CENT !== 0n || amount > refundable) {
    return refuse('insufficient_credit', 'only the unused part of a payment, in whole cents', {
      refundableNanoUsd: refundable.toString(),
    })
  }
  const refund: Refund = { ...what, amount, state: 'reserved', requestedAtMs: nowMs }
  const transfer: Transfer = {
    id: transferId(refund),
    kind: 'refund',
    debit: paidAccount(payment.accountId),
    credit: CLEARING_ACCOUNT,
    amount,
  }
  return accept(refund, [
    { type: 'transfers', transfers: [transfer] },
    { type: 'refund', refund },
    refunded(payment, amount),
  ])
}

function isSameRefund(before: Refund, { paymentId, accountId, amount }: RefundCommand): boolean {
  const isOwn = before.paymentId === paymentId && before.accountId === accountId
  return isOwn && (amount === undefined || amount === before.amount)
}

function refusePayment(
  state: LedgerState,
  { paymentId, creditedAtMs = 0 }: Payment,
  nowMs: number,
): ReturnType<typeof refuse> | undefined {
  if (nowMs - creditedAtMs > REFUND_AGE_MS) {
    return refuse('expired', 'the payment is too old to be refunded')
  }
  const { openDisputes, disputes } = state.bought
  const isDisputed = [...openDisputes].some((id) => disputes.get(id)?.paymentId === paymentId)
  return isDisputed ? refuse('conflict', 'the payment is disputed') : undefined
}

/**
 * What of a payment is unused, in whole cents. The oldest credit is spent first, so what is left belongs to the newest
 * payments.
 */
export function refundableOf(state: LedgerState, payment: Payment): NanoUsd {
  const { accountId, paymentId } = payment
  const ids = state.bought.accountPayments.get(accountId) ?? []
  let left = availableIn(state.books, paidAccount(accountId))
  for (const id of ids.slice(ids.indexOf(paymentId) + 1)) {
    const newer = state.bought.payments.get(id)
    if (newer !== undefined) left -= remainderOf(newer)
  }
  const remainder = remainderOf(payment)
  const unused = left < remainder ? left : remainder
  return unused <= 0n ? 0n : unused - (unused % NANO_USD_PER_CENT)
}

/** Enters that the payment company is about to be asked. From then on the refund may exist, whatever we hear. */
export function submitRefund(
  state: LedgerState,
  { refundId }: { refundId: string },
): Decision<Refund> {
  const before = state.bought.refunds.get(refundId)
  if (before === undefined) return refuse('not_found', 'there is no such refund')
  if (before.state !== 'reserved') return accept(before)
  const refund: Refund = { ...before, state: 'submitted' }
  return accept(refund, [{ type: 'refund', refund }])
}

/** A refund as the payment company has it now. */
export interface RefundNews {
  /** Our id, where the refund is ours. */
  refundId?: string
  /** The payment company's id; absent where it refused to make one. */
  providerRefundId?: string
  paymentId: string
  amount: NanoUsd
  state: 'pending' | 'processed' | 'failed'
}

/** Enters what is new about a refund. One that was made without us is taken from the credit like a lost dispute. */
export function mergeRefund(
  state: LedgerState,
  news: RefundNews,
  nowMs: number,
): Decision<Refund | undefined> {
  const payment = state.bought.payments.get(news.paymentId)
  if (payment === undefined) return refuse('not_found', 'there is no such payment')
  const known =
    state.bought.refunds.get(state.bought.refundIds.get(news.providerRefundId ?? '') ?? '') ??
    state.bought.refunds.get(news.refundId ?? '')
  if (known === undefined || known.paymentId !== news.paymentId) {
    return foreignRefund(state, { news, payment }, nowMs)
  }
  return isForeign(known)
    ? mergeForeign(state, { known, payment, news })
    : mergeOwn(known, payment, news)
}

function mergeOwn(before: Refund, payment: Payment, news: RefundNews): Decision<Refund> {
  const { providerRefundId } = news
  const known = { ...before, ...(providerRefundId === undefined ? {} : { providerRefundId }) }
  const isOpen = before.state === 'reserved' || before.state === 'submitted'
  const pendingId = transferId(before)
  const id = resolutionId(pendingId)
  if (isOpen && news.state === 'processed') {
    const refund: Refund = { ...known, state: 'processed' }
    const { amount } = before
    return accept(refund, [moves({ id, kind: 'capture', pendingId, amount }), change(refund)])
  }
  if (isOpen && news.state === 'failed') {
    const refund: Refund = { ...known, state: 'failed' }
    const transfer = moves({ id, kind: 'void', pendingId })
    return accept(refund, [transfer, change(refund), refunded(payment, -before.amount)])
  }
  if (before.state === 'processed' && news.state === 'failed') {
    const refund: Refund = { ...known, state: 'returned' }
    const transfer = moves({
      id: `${pendingId}/returned`,
      kind: 'refund_return',
      debit: CLEARING_ACCOUNT,
      credit: paidAccount(before.accountId),
      amount: before.amount,
    })
    return accept(refund, [transfer, change(refund), refunded(payment, -before.amount)])
  }
  if (before.providerRefundId !== undefined || providerRefundId === undefined) return accept(before)
  return accept(known, [change(known)])
}

/** A refund that somebody made on the payment company's own pages. */
function foreignRefund(
  state: LedgerState,
  { news, payment }: { news: RefundNews; payment: Payment },
  nowMs: number,
): Decision<Refund | undefined> {
  const { providerRefundId, amount, paymentId } = news
  const isReal = payment.creditedAtMs !== undefined && news.state !== 'failed'
  if (providerRefundId === undefined || !isReal) return accept(undefined)
  const { accountId } = payment
  const id = `refund:${providerRefundId}`
  const refund: Refund = {
    refundId: providerRefundId,
    providerRefundId,
    paymentId,
    accountId,
    amount,
    speed: 'normal',
    state: 'processed',
    reason: 'made outside the ledger',
    requestedAtMs: nowMs,
  }
  const { changes } = takeBack(state, accountId, { id, amount })
  return accept(refund, [...changes, change(refund), refunded(payment, amount)])
}

function mergeForeign(
  state: LedgerState,
  { known, payment, news }: { known: Refund; payment: Payment; news: RefundNews },
): Decision<Refund> {
  if (known.state !== 'processed' || news.state !== 'failed') return accept(known)
  const refund: Refund = { ...known, state: 'returned' }
  const { accountId, amount } = known
  const id = `${transferId(known)}/returned`
  const { changes } = bringIn(state, accountId, { id, amount, kind: 'chargeback_return' })
  return accept(refund, [...changes, change(refund), refunded(payment, -amount)])
}

function isForeign(refund: Refund): boolean {
  return refund.refundId === refund.providerRefundId
}

function transferId({ refundId }: Refund): string {
  return `refund:${refundId}`
}

function moves(transfer: Transfer): Change {
  return { type: 'transfers', transfers: [transfer] }
}

function change(refund: Refund): Change {
  return { type: 'refund', refund }
}

function refunded(payment: Payment, amount: NanoUsd): Change {
  const refundedNanoUsd = payment.refundedNanoUsd + amount
  return { type: 'payment', payment: { ...payment, refundedNanoUsd } }
}
