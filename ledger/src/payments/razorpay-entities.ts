import { LexoraError, NANO_USD_PER_CENT } from '@lexora/protocol'
import { z } from 'zod'
import type { PaymentState } from '../core/payments.ts'
import type { DisputeNews } from '../core/rules/disputes.ts'
import type { RefundNews } from '../core/rules/refunds.ts'
import type { Order, ProviderEvent, ProviderPayment } from './payment-provider.ts'

/** Longest id that is believed. */
const id = z.string().min(1).max(64)
const cents = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER)

const orderSchema = z.object({ id, receipt: z.string().max(64).nullish() })
const paymentSchema = z.object({
  id,
  order_id: id.nullish(),
  amount: cents,
  currency: z.string().max(8),
  status: z.enum(['created', 'authorized', 'captured', 'refunded', 'failed']),
  amount_refunded: cents.nullish(),
})
const refundSchema = z.object({
  id,
  payment_id: id,
  amount: cents,
  status: z.enum(['pending', 'processed', 'failed']),
  notes: z.unknown(),
})
const disputeSchema = z.object({
  id,
  payment_id: id,
  amount: cents,
  status: z.enum(['open', 'under_review', 'action_required', 'won', 'lost', 'closed']),
})
const entityOf = z.object({ entity: z.object({ id }).loose() })
const eventSchema = z.object({
  event: z.string().min(1).max(64),
  created_at: z.number().int().nonnegative().optional(),
  payload: z
    .object({
      payment: entityOf.optional(),
      order: entityOf.optional(),
      refund: entityOf.optional(),
      dispute: entityOf.optional(),
    })
    .loose(),
})
/** Under this name our id travels in a refund's notes. */
export const REFUND_NOTE = 'lexora_refund'

const PAYMENT_STATES: Readonly<Record<string, PaymentState>> = {
  created: 'created',
  failed: 'failed',
  authorized: 'authorised',
  captured: 'captured',
  // It was captured before it was refunded.
  refunded: 'captured',
}

/** Reads an order. Throws `malformed`. */
export function readOrder(value: unknown): Order {
  const { id: orderId, receipt } = read(orderSchema, value)
  return { orderId, receipt: receipt ?? '' }
}

/** Reads a payment. Throws `malformed`. */
export function readPayment(value: unknown): ProviderPayment {
  const payment = read(paymentSchema, value)
  return {
    paymentId: payment.id,
    orderId: payment.order_id ?? '',
    amount: BigInt(payment.amount) * NANO_USD_PER_CENT,
    isUsd: payment.currency === 'USD',
    state: PAYMENT_STATES[payment.status] ?? 'created',
    hasRefunds: (payment.amount_refunded ?? 0) > 0,
  }
}

/** Reads a refund. Throws `malformed`. */
export function readRefund(value: unknown): RefundNews {
  const refund = read(refundSchema, value)
  const notes = z.object({ [REFUND_NOTE]: id }).safeParse(refund.notes)
  const refundId = notes.success ? notes.data[REFUND_NOTE] : undefined
  return {
    ...(refundId === undefined ? {} : { refundId }),
    providerRefundId: refund.id,
    paymentId: refund.payment_id,
    amount: BigInt(refund.amount) * NANO_USD_PER_CENT,
    state: refund.status,
  }
}

/** Reads a dispute. Throws `malformed`. */
export function readDispute(value: unknown): DisputeNews {
  const { id: disputeId, payment_id: paymentId, amount, status } = read(disputeSchema, value)
  const isDecided = status === 'won' || status === 'lost' || status === 'closed'
  const state = isDecided ? status : 'open'
  return { disputeId, paymentId, amount: BigInt(amount) * NANO_USD_PER_CENT, state }
}

/** Reads the items of a collection, each by its own reader. Throws `malformed`. */
export function readItems<T>(value: unknown, each: (item: unknown) => T): T[] {
  return read(z.object({ items: z.array(z.unknown()).max(1_000) }), value).items.map(each)
}

/** Reads the body of a webhook. Throws `malformed`. */
export function readEvent(body: Uint8Array): ProviderEvent {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new LexoraError('malformed', 'the event is not JSON')
  }
  const { event, created_at: createdAt, payload } = read(eventSchema, json)
  const ids = {
    orderId: payload.order?.entity.id,
    paymentId: payload.payment?.entity.id,
    refundId: payload.refund?.entity.id,
    disputeId: payload.dispute?.entity.id,
  }
  const known = Object.fromEntries(Object.entries(ids).filter(([, each]) => each !== undefined))
  const createdAtMs = createdAt === undefined ? {} : { createdAtMs: createdAt * 1_000 }
  return { name: event, ...known, ...createdAtMs }
}

function read<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const where = parsed.error.issues[0]?.path.join('.') ?? ''
  throw new LexoraError('malformed', `the payment company’s data cannot be read: ${where}`)
}
