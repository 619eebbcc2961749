import { NANO_USD_PER_CENT, NANO_USD_PER_USD, type NanoUsd } from '@lexora/protocol'
import type { Change } from '../entry.ts'
import {
  isOpenTopUp,
  type Payment,
  type PaymentEvent,
  type PaymentFlag,
  type PaymentState,
  type TopUp,
  type TopUpState,
} from '../payments.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import type { LedgerState } from '../state.ts'
import { isActive, noAccount, refuseInactive } from './accounts.ts'
import { bringIn, DEBT_REASON } from './debt.ts'

/** Least that can be bought: below it the payment company's fee eats too much. */
const TOP_UP_MIN: NanoUsd = 5n * NANO_USD_PER_USD
/** Most that can be bought at once: what one chargeback may cost us. */
const TOP_UP_MAX: NanoUsd = 25_000n * NANO_USD_PER_USD
/** Most top-ups of one account that wait for their payment. */
const OPEN_PER_ACCOUNT_MAX = 20
/** Payments may be authorised three days late; a day more for the news of it to arrive. */
const TOP_UP_LIFE_MS = 4 * 24 * 60 * 60 * 1_000
/** Most events that wait to be looked into. */
const OPEN_EVENTS_MAX = 10_000

/** Later ones win: news may come in any order. `expired` only says that we stop asking. */
const RANKS: Readonly<Record<TopUpState, number>> = {
  created: 0,
  pending: 1,
  failed: 2,
  expired: 3,
  authorised: 4,
  captured: 5,
  credited: 6,
}
const PAYMENT_RANKS: Readonly<Record<PaymentState, number>> = {
  created: 0,
  failed: 1,
  authorised: 2,
  captured: 3,
}

/** Enters that a customer wants to buy credit, before the payment company is asked for an order. */
export function openTopUp(
  state: LedgerState,
  command: Pick<TopUp, 'topUpId' | 'accountId' | 'amount'> & { isStorageLow: boolean },
  nowMs: number,
): Decision<TopUp> {
  const { topUpId, accountId, amount } = command
  const before = state.bought.topUps.get(topUpId)
  if (before !== undefined) {
    return before.accountId === accountId && before.amount === amount
      ? accept(before)
      : refuse('conflict', 'this id was used for another top-up')
  }
  const refused = refuseBuyer(state, accountId, nowMs)
  if (refused !== undefined) return refused
  if (amount < TOP_UP_MIN || amount > TOP_UP_MAX || amount % NANO_USD_PER_CENT !== 0n) {
    return refuse('invalid_request', 'a top-up is whole cents from $5 to $25,000')
  }
  if (command.isStorageLow) {
    return refuse('storage_full', 'the ledger is short of disk space and makes no new promises')
  }
  if (openTopUpsOf(state, accountId) >= OPEN_PER_ACCOUNT_MAX) {
    return refuse('rate_limited', 'too many top-ups wait for their payment', {
      max: OPEN_PER_ACCOUNT_MAX,
    })
  }
  const topUp: TopUp = { topUpId, accountId, amount, state: 'created', createdAtMs: nowMs }
  return accept(topUp, [{ type: 'topUp', topUp }])
}

/** Enters the payment company's order of a top-up. The first one stays its name; payments of others count as well. */
export function orderTopUp(
  state: LedgerState,
  command: { topUpId: string; orderId: string },
): Decision<TopUp> {
  const before = state.bought.topUps.get(command.topUpId)
  if (before === undefined) return refuse('not_found', 'there is no such top-up')
  if (before.orderId !== undefined) return accept(before)
  const topUp: TopUp = { ...raised(before, 'pending'), orderId: command.orderId }
  return accept(topUp, [{ type: 'topUp', topUp }])
}

/** A payment as the payment company has it now. */
export interface PaymentNews {
  paymentId: string
  topUpId: string
  /** In the currency's smallest unit, times what a cent is in nano-USD. */
  amount: NanoUsd
  isUsd: boolean
  state: PaymentState
}

/**
 * Enters what is new about a payment and, once it is captured, its credit: exactly once, since the transfer's id is
 * made of the payment's. Older news changes nothing, so the order in which it comes does not matter.
 */
export function mergePayment(
  state: LedgerState,
  news: PaymentNews,
  nowMs: number,
): Decision<Payment> {
  const topUp = state.bought.topUps.get(news.topUpId)
  if (topUp === undefined) return refuse('not_found', 'there is no such top-up')
  const before = state.bought.payments.get(news.paymentId)
  if (before !== undefined && before.topUpId !== news.topUpId) {
    return refuse('conflict', 'this payment belongs to another top-up')
  }
  if (before !== undefined && PAYMENT_RANKS[before.state] >= PAYMENT_RANKS[news.state]) {
    return accept(before)
  }
  const payment = paymentOf(topUp, news)
  if (news.state !== 'captured') {
    return accept(payment, [{ type: 'payment', payment }, ...topUpChange(topUp, stateFor(news))])
  }
  const flag = flagOf(topUp, news)
  if (flag !== undefined) payment.flag = flag
  if (flag === 'wrong_currency') {
    return accept(payment, [{ type: 'payment', payment }, ...topUpChange(topUp, 'captured')])
  }
  const { accountId } = topUp
  const id = `topup:${news.paymentId}`
  const split = bringIn(state, accountId, { id, amount: news.amount, kind: 'topup' })
  const credited: Payment = {
    ...payment,
    creditedNanoUsd: split.credit,
    repaidNanoUsd: split.debt,
    creditedAtMs: nowMs,
  }
  return accept(credited, [
    ...split.changes,
    { type: 'payment', payment: credited },
    ...topUpChange(topUp, 'credited'),
  ])
}

/** Stops asking about a top-up whose payment will not come any more. One that comes all the same still counts. */
export function expireTopUp(
  state: LedgerState,
  { topUpId }: { topUpId: string },
  nowMs: number,
): Decision<TopUp> {
  const topUp = state.bought.topUps.get(topUpId)
  if (topUp === undefined) return refuse('not_found', 'there is no such top-up')
  if (!isOpenTopUp(topUp.state) || nowMs - topUp.createdAtMs < TOP_UP_LIFE_MS) return accept(topUp)
  const changes = topUpChange(topUp, 'expired')
  return accept(raised(topUp, 'expired'), changes)
}

/** Enters a message of the payment company, once. */
export function receiveEvent(
  state: LedgerState,
  event: Omit<PaymentEvent, 'receivedAtMs'>,
  nowMs: number,
): Decision<{ repeated: boolean }> {
  const before = state.bought.events.get(event.eventId)
  if (before !== undefined) {
    return before.bodyHash === event.bodyHash
      ? accept({ repeated: true })
      : refuse('conflict', 'this event id came with another body before')
  }
  if (state.bought.openEvents.size >= OPEN_EVENTS_MAX) {
    return refuse('ledger_unavailable', 'too many events wait to be looked into')
  }
  const received: PaymentEvent = { ...event, receivedAtMs: nowMs }
  return accept({ repeated: false }, [{ type: 'paymentEvent', event: received }])
}

/** Enters that an event was looked into. */
export function finishEvent(
  state: LedgerState,
  { eventId }: { eventId: string },
): Decision<{ done: boolean }> {
  if (!state.bought.openEvents.has(eventId)) return accept({ done: false })
  return accept({ done: true }, [{ type: 'paymentEventDone', eventId }])
}

function refuseBuyer(
  state: LedgerState,
  accountId: string,
  nowMs: number,
): ReturnType<typeof refuse> | undefined {
  const account = state.accounts.get(accountId)
  if (account === undefined) return noAccount(accountId)
  if (account.kind !== 'developer') {
    return refuse('invalid_request', `a ${account.kind} account buys no credit`)
  }
  // A debt is paid by a top-up, so it must not stand in its way.
  const isIndebted = account.state === 'suspended' && account.reason === DEBT_REASON
  return isIndebted || isActive(account, nowMs) ? undefined : refuseInactive(account)
}

function openTopUpsOf(state: LedgerState, accountId: string): number {
  const { accountTopUps, openTopUps } = state.bought
  return (accountTopUps.get(accountId) ?? []).filter((id) => openTopUps.has(id)).length
}

function raised(topUp: TopUp, state: TopUpState): TopUp {
  return RANKS[state] > RANKS[topUp.state] ? { ...topUp, state } : topUp
}

function topUpChange(before: TopUp, state: TopUpState): Change[] {
  const topUp = raised(before, state)
  return topUp === before ? [] : [{ type: 'topUp', topUp }]
}

function stateFor({ state }: PaymentNews): TopUpState {
  return state === 'created' ? 'pending' : state
}

function flagOf(topUp: TopUp, news: PaymentNews): PaymentFlag | undefined {
  if (!news.isUsd) return 'wrong_currency'
  if (topUp.state === 'credited') return 'second_payment'
  return news.amount === topUp.amount ? undefined : 'other_amount'
}

function paymentOf(topUp: TopUp, { paymentId, amount, state }: PaymentNews): Payment {
  return {
    paymentId,
    topUpId: topUp.topUpId,
    accountId: topUp.accountId,
    amount,
    state,
    creditedNanoUsd: 0n,
    repaidNanoUsd: 0n,
    refundedNanoUsd: 0n,
    disputedNanoUsd: 0n,
  }
}
