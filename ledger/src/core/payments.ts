import { assert, type NanoUsd } from '@lexora/protocol'
import { Table } from './table.ts'

/**
 * What became of a top-up. `failed` and `expired` are no ends: a payment company may still authorise late. `captured`
 * without `credited` waits for an operator.
 */
export type TopUpState =
  | 'created'
  | 'pending'
  | 'failed'
  | 'expired'
  | 'authorised'
  | 'captured'
  | 'credited'

/** A customer's wish to buy credit. */
export interface TopUp {
  topUpId: string
  accountId: string
  /** Whole cents, as nano-USD. */
  amount: NanoUsd
  state: TopUpState
  createdAtMs: number
  /** The payment company's order; absent until it is known. */
  orderId?: string
}

/** What became of a payment. It only ever moves to the right. */
export type PaymentState = 'created' | 'failed' | 'authorised' | 'captured'

/** Why an operator may want to look at a payment. */
export type PaymentFlag = 'second_payment' | 'other_amount' | 'wrong_currency'

/** One payment of a top-up: several may be tried, and more than one may succeed. */
export interface Payment {
  paymentId: string
  topUpId: string
  accountId: string
  amount: NanoUsd
  state: PaymentState
  /** What of it became credit. */
  creditedNanoUsd: NanoUsd
  /** What of it paid off a debt. */
  repaidNanoUsd: NanoUsd
  /** What of it was refunded or is reserved to be. */
  refundedNanoUsd: NanoUsd
  /** What of it a dispute took back. */
  disputedNanoUsd: NanoUsd
  flag?: PaymentFlag
  creditedAtMs?: number
}

/** How a refund goes on. `submitted` is durable before the payment company is asked, and may be asked again. */
export type RefundState = 'reserved' | 'submitted' | 'processed' | 'failed' | 'returned'

/** Unused credit on its way back to where it came from. */
export interface Refund {
  /** Also the idempotency key at the payment company. */
  refundId: string
  paymentId: string
  accountId: string
  amount: NanoUsd
  speed: 'normal' | 'optimum'
  state: RefundState
  reason: string
  requestedAtMs: number
  /** The payment company's id. */
  providerRefundId?: string
}

/** A payment that the customer's bank takes back. */
export interface Dispute {
  disputeId: string
  paymentId: string
  accountId: string
  amount: NanoUsd
  state: 'open' | 'won' | 'lost' | 'closed'
  /** A decided dispute may be opened again: every round has its own transfers. */
  cycle: number
  /** Frozen until it is decided. */
  heldNanoUsd: NanoUsd
  /** Taken from the credit because it was lost. */
  takenNanoUsd: NanoUsd
  /** What the credit did not cover. */
  owedNanoUsd: NanoUsd
}

/** A message of the payment company that was received and must be looked into. */
export interface PaymentEvent {
  eventId: string
  /** SHA-256 of the body, lower-case hex. */
  bodyHash: string
  /** E.g. `payment.captured`. */
  name: string
  receivedAtMs: number
  orderId?: string
  paymentId?: string
  refundId?: string
  disputeId?: string
}

/** A change of bought money. Each carries the whole record as it is from then on. */
export type PaymentChange =
  | { type: 'topUp'; topUp: TopUp }
  | { type: 'payment'; payment: Payment }
  | { type: 'refund'; refund: Refund }
  | { type: 'dispute'; dispute: Dispute }
  | { type: 'paymentEvent'; event: PaymentEvent }
  | { type: 'paymentEventDone'; eventId: string }

/** Bought money: part of the ledger's state. */
export interface PaymentBook {
  topUps: Map<string, TopUp>
  /** The payment company's order to the top-up. */
  orders: Map<string, string>
  /** Top-ups of which a payment may still come soon. */
  openTopUps: Set<string>
  payments: Map<string, Payment>
  refunds: Map<string, Refund>
  /** The payment company's id to ours. */
  refundIds: Map<string, string>
  openRefunds: Set<string>
  disputes: Map<string, Dispute>
  openDisputes: Set<string>
  /** By account, the ids of its top-ups, payments and refunds, oldest first. */
  accountTopUps: Map<string, string[]>
  accountPayments: Map<string, string[]>
  /** Received events, oldest first: some thousands, since acting on one again changes nothing. */
  events: Map<string, PaymentEvent>
  openEvents: Set<string>
}

/** Events that are remembered after they were looked into: weeks of a busy shop. */
const EVENTS_MAX = 50_000

/** Nothing bought. */
export function createPaymentBook(): PaymentBook {
  return {
    topUps: new Table(),
    orders: new Table(),
    openTopUps: new Set(),
    payments: new Table(),
    refunds: new Table(),
    refundIds: new Table(),
    openRefunds: new Set(),
    disputes: new Table(),
    openDisputes: new Set(),
    accountTopUps: new Table(),
    accountPayments: new Table(),
    // Its order says what is forgotten first, and a copy of a Table does not keep that.
    events: new Map(),
    openEvents: new Set(),
  }
}

/** Enters a change of bought money. */
export function enterPayment(book: PaymentBook, change: PaymentChange): void {
  switch (change.type) {
    case 'topUp':
      return enterTopUp(book, change.topUp)
    case 'payment': {
      const { payment } = change
      const { accountId, paymentId } = payment
      if (!book.payments.has(paymentId)) append(book.accountPayments, accountId, paymentId)
      book.payments.set(paymentId, payment)
      return
    }
    case 'refund':
      return enterRefund(book, change.refund)
    case 'dispute': {
      const { dispute } = change
      book.disputes.set(dispute.disputeId, dispute)
      setMember(book.openDisputes, dispute.disputeId, dispute.state === 'open')
      return
    }
    case 'paymentEvent':
      assert(!book.events.has(change.event.eventId), 'an event is received once')
      book.events.set(change.event.eventId, change.event)
      book.openEvents.add(change.event.eventId)
      return
    case 'paymentEventDone':
      book.openEvents.delete(change.eventId)
      forgetEvents(book)
  }
}

function enterTopUp(book: PaymentBook, topUp: TopUp): void {
  const { topUpId, orderId, state } = topUp
  if (!book.topUps.has(topUpId)) append(book.accountTopUps, topUp.accountId, topUpId)
  book.topUps.set(topUpId, topUp)
  if (orderId !== undefined) book.orders.set(orderId, topUpId)
  setMember(book.openTopUps, topUpId, isOpenTopUp(state))
}

function enterRefund(book: PaymentBook, refund: Refund): void {
  const { refundId, providerRefundId, state } = refund
  book.refunds.set(refundId, refund)
  if (providerRefundId !== undefined) book.refundIds.set(providerRefundId, refundId)
  setMember(book.openRefunds, refundId, state === 'reserved' || state === 'submitted')
}

function forgetEvents(book: PaymentBook): void {
  for (const eventId of book.events.keys()) {
    if (book.events.size <= EVENTS_MAX) return
    if (!book.openEvents.has(eventId)) book.events.delete(eventId)
  }
}

/** Whether a payment of a top-up in this state may still come soon. */
export function isOpenTopUp(state: TopUpState): boolean {
  return state === 'created' || state === 'pending' || state === 'failed' || state === 'authorised'
}

/** What of a payment is neither refunded nor disputed away, spent or not. */
export function remainderOf(payment: Payment): NanoUsd {
  return payment.creditedNanoUsd - payment.refundedNanoUsd - payment.disputedNanoUsd
}

function append(index: Map<string, string[]>, key: string, id: string): void {
  index.set(key, [...(index.get(key) ?? []), id])
}

function setMember(set: Set<string>, id: string, isMember: boolean): void {
  if (isMember) set.add(id)
  else set.delete(id)
}
