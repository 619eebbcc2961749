import type { NanoUsd } from '@lexora/protocol'
import type { PaymentEvent, Refund } from '../core/payments.ts'
import type { DisputeNews } from '../core/rules/disputes.ts'
import type { RefundNews } from '../core/rules/refunds.ts'
import type { PaymentNews } from '../core/rules/topups.ts'

/** An order as the payment company has it. */
export interface Order {
  orderId: string
  /** Our top-up. */
  receipt: string
}

/** A payment as the payment company has it. */
export interface ProviderPayment extends Omit<PaymentNews, 'topUpId'> {
  orderId: string
  hasRefunds: boolean
}

/** A message of the payment company whose signature was good. */
export interface ProviderEvent
  extends Pick<PaymentEvent, 'name' | 'orderId' | 'paymentId' | 'refundId' | 'disputeId'> {
  createdAtMs?: number
}

/**
 * A company that takes payments. Calls throw `timeout` where nobody knows whether it was done (ask again),
 * `invalid_request` where it was refused for good, and `malformed` for an answer that cannot be read.
 */
export interface PaymentProvider {
  /** What a browser needs to pay: public. */
  readonly publicKey: string
  /** Amounts are in nano-USD and whole cents. */
  createOrder(order: { receipt: string; amount: NanoUsd }): Promise<Order>
  /** The order that was made for a top-up, where its answer was lost. */
  findOrder(receipt: string): Promise<Order | undefined>
  order(orderId: string): Promise<Order>
  paymentsOf(orderId: string): Promise<ProviderPayment[]>
  payment(paymentId: string): Promise<ProviderPayment>
  /** Takes an authorised payment. */
  capture(payment: { paymentId: string; amount: NanoUsd }): Promise<ProviderPayment>
  /** The same refund id again is the same refund. */
  refund(refund: Pick<Refund, 'refundId' | 'paymentId' | 'amount' | 'speed'>): Promise<RefundNews>
  refundsOf(paymentId: string): Promise<RefundNews[]>
  dispute(disputeId: string): Promise<DisputeNews>
  /** Whether the company signed that this payment belongs to this order. */
  isCheckoutGenuine(checkout: { orderId: string; paymentId: string; signature: string }): boolean
  /** Reads a message. Throws `signature_invalid` and `malformed`. */
  readEvent(body: Uint8Array, signature: string): ProviderEvent
}
