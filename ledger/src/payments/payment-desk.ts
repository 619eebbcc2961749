import { createHash } from 'node:crypto'
import { LexoraError, NANO_USD_PER_CENT, type NanoUsd } from '@lexora/protocol'
import { base62, toBigInt } from '../accounts/secret.ts'
import type { Dispute, Payment, Refund, TopUp } from '../core/payments.ts'
import { refundableOf, requestRefund } from '../core/rules/refunds.ts'
import { openTopUp, receiveEvent } from '../core/rules/topups.ts'
import { checkText, type Desk, hex } from '../desk.ts'
import { createConvergence } from './convergence.ts'
import { createOrderMaker } from './order-maker.ts'
import type { PaymentProvider } from './payment-provider.ts'
import { createReconciler, type Reconciled } from './reconciler.ts'

/** Older events are refused: Razorpay gives up after a day, and payments may come three days late. */
const EVENT_AGE_MS = 5 * 24 * 60 * 60 * 1_000
/** What a browser needs to pay. */
export interface Checkout {
  topUp: TopUp
  keyId: string
  orderId: string
  amountCents: number
  currency: 'USD'
}

/** A payment with what of it can be refunded now. */
export interface PaymentView extends Payment {
  refundableNanoUsd: NanoUsd
}

/** Money in and back. */
export interface PaymentDesk {
  /**
   * Makes an order at the payment company; the same id again is the same top-up. Throws `not_found`,
   * `invalid_request`, `conflict`, `account_suspended`, `rate_limited`, `storage_full` and `timeout` (ask again).
   */
  createTopUp(request: { accountId: string; amountCents: number; id: string }): Promise<Checkout>
  /**
   * What the browser brought back from the payment company. Its signature only says that it is worth asking: credit
   * comes from what the company itself says. Throws `not_found`, `signature_invalid`, `timeout`.
   */
  confirmCheckout(request: {
    accountId: string
    topUpId: string
    paymentId: string
    signature: string
  }): Promise<TopUp>
  /** Oldest first. */
  listTopUps(accountId: string): TopUp[]
  /** Oldest first. */
  listPayments(accountId: string): PaymentView[]
  /** Reserves the credit at once and sends it on its way. Throws `not_found`, `insufficient_credit`, `conflict`, `expired`. */
  requestRefund(request: {
    accountId: string
    paymentId: string
    /** Absent: all that is unused. */
    amountCents?: number | undefined
    speed: 'normal' | 'optimum'
    reason: string
    id: string
  }): Promise<Refund>
  /** Of all accounts, oldest first. */
  listRefunds(): Refund[]
  /** Of all accounts, oldest first. */
  listDisputes(): Dispute[]
  /**
   * Takes a message of the payment company; it is durable at the answer, and looked into after it. Throws
   * `signature_invalid`, `malformed`, `expired`, `conflict`.
   */
  receivePaymentEvent(message: {
    body: Uint8Array
    signature: string
    eventId: string
  }): Promise<{ repeated: boolean }>
  /** Resolves when every event that was received has been looked into once. */
  paymentsSettled(): Promise<void>
  /** Asks the payment company about everything that is open. Called from a timer; one at a time. */
  reconcilePayments(): Promise<Reconciled>
}

/** The part of the service that sells credit. Without a payment company it answers `not_found`. */
export function createPaymentDesk(desk: Desk, provider: PaymentProvider | undefined): PaymentDesk {
  const { writer, state, clock } = desk
  const { bought } = state
  const convergence = createConvergence(desk)
  const orderOf = createOrderMaker(desk)
  const reconciler = createReconciler(desk, convergence, provider)

  function company(): PaymentProvider {
    if (provider !== undefined) return provider
    throw new LexoraError('not_found', 'no payment company is configured')
  }

  const ownTopUp = (accountId: string, topUpId: string): TopUp =>
    topUpOf(bought.topUps, accountId, topUpId)

  return {
    async createTopUp({ accountId, amountCents, id }) {
      checkText(id, 'id')
      const { publicKey: keyId } = company()
      const topUp = await writer.submit(openTopUp, {
        topUpId: derivedId('top', accountId, id),
        accountId,
        amount: nanoOf(amountCents),
        isStorageLow: desk.isStorageLow(),
      })
      const orderId = await orderOf(company(), topUp)
      return { topUp: { ...topUp, orderId }, keyId, orderId, amountCents, currency: 'USD' }
    },
    async confirmCheckout({ accountId, topUpId, paymentId, signature }) {
      const { orderId } = ownTopUp(accountId, topUpId)
      // The order is the one that we know, not one that a browser names.
      const isGenuine =
        orderId !== undefined && company().isCheckoutGenuine({ orderId, paymentId, signature })
      if (!isGenuine) {
        throw new LexoraError('signature_invalid', 'the payment company has not signed this')
      }
      await convergence.payment(company(), paymentId)
      return ownTopUp(accountId, topUpId)
    },
    listTopUps: (accountId) =>
      listed(bought.accountTopUps.get(accountId) ?? [], (id) => bought.topUps.get(id)),
    listPayments: (accountId) =>
      listed(bought.accountPayments.get(accountId) ?? [], (id) => bought.payments.get(id)).map(
        (payment) => ({ ...payment, refundableNanoUsd: refundableOf(state, payment) }),
      ),
    async requestRefund({ id, amountCents, ...request }) {
      checkText(id, 'id')
      checkText(request.reason, 'reason')
      const amount = amountCents === undefined ? {} : { amount: nanoOf(amountCents) }
      const refundId = derivedId('ref', request.accountId, id)
      await writer.submit(requestRefund, { ...request, ...amount, refundId })
      await reconciler.refund(refundId)
      const refund = bought.refunds.get(refundId)
      if (refund !== undefined) return refund
      throw new LexoraError('internal', 'the refund was not entered')
    },
    listRefunds: () => [...bought.refunds.values()],
    listDisputes: () => [...bought.disputes.values()],
    async receivePaymentEvent({ body, signature, eventId }) {
      const { createdAtMs, ...event } = company().readEvent(body, signature)
      if (createdAtMs !== undefined && clock() - createdAtMs > EVENT_AGE_MS) {
        throw new LexoraError('expired', 'the event is too old')
      }
      checkText(eventId, 'eventId')
      const bodyHash = hex(createHash('sha256').update(body).digest())
      const received = await writer.submit(receiveEvent, { ...event, eventId, bodyHash })
      if (!received.repeated) reconciler.eventsCame()
      return received
    },
    paymentsSettled: () => reconciler.settled(),
    reconcilePayments: () => reconciler.everything(),
  }
}

function topUpOf(topUps: ReadonlyMap<string, TopUp>, accountId: string, topUpId: string): TopUp {
  const topUp = topUps.get(topUpId)
  if (topUp?.accountId === accountId) return topUp
  throw new LexoraError('not_found', 'there is no such top-up')
}

/** The same wish of the same account always has the same id. */
function derivedId(prefix: string, accountId: string, id: string): string {
  const hash = createHash('sha256').update(`${prefix}\n${accountId}\n${id}`).digest()
  return `${prefix}_${base62(toBigInt(hash.subarray(0, 16)), 22)}`
}

function nanoOf(cents: number): NanoUsd {
  if (!Number.isSafeInteger(cents) || cents < 0) {
    throw new LexoraError('invalid_request', 'an amount is whole cents')
  }
  return BigInt(cents) * NANO_USD_PER_CENT
}

function listed<T>(ids: readonly string[], get: (id: string) => T | undefined): T[] {
  return ids.flatMap((id) => get(id) ?? [])
}
