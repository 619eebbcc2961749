import { randomBytes } from 'node:crypto'

/** An entity as Razorpay's API shows it. */
export type Entity = Record<string, unknown> & { id: string }

/** A message that Razorpay would send: kept until somebody delivers it. */
export interface DoubleEvent {
  eventId: string
  body: string
}

/** What happens on Razorpay's side, by a test's or a person's hand. */
export interface Shop {
  orders: Map<string, Entity>
  payments: Map<string, Entity>
  refunds: Map<string, Entity>
  disputes: Map<string, Entity>
  createOrder(body: Record<string, unknown>): Entity
  /** A payment of an order; `captured` at once unless said otherwise. More than one may succeed. */
  pay(orderId: string, change?: { status?: string; amount?: number; currency?: string }): Entity
  /** Moves a payment on, e.g. a failed one that was authorised late. */
  move(paymentId: string, status: 'authorized' | 'captured' | 'failed'): Entity
  refund(paymentId: string, body: Record<string, unknown>): Entity
  /** Ends a refund. */
  finishRefund(refundId: string, status: 'processed' | 'failed'): Entity
  openDispute(paymentId: string, amount?: number): Entity
  /** Decides a dispute, or opens it again. */
  moveDispute(disputeId: string, status: 'open' | 'won' | 'lost' | 'closed'): Entity
}

/** Refunds are `pending` until they are finished, as they often are in life. */
export function createShop(emit: (event: DoubleEvent) => void): Shop {
  const orders = new Map<string, Entity>()
  const payments = new Map<string, Entity>()
  const refunds = new Map<string, Entity>()
  const disputes = new Map<string, Entity>()
  const say = tellerOf(emit)

  function announce(payment: Entity): void {
    const status = String(payment['status'])
    const order = existing(orders, String(payment['order_id']))
    if (status === 'failed') say('payment.failed', { payment })
    if (status === 'authorized' || status === 'captured') say('payment.authorized', { payment })
    if (status !== 'captured') return
    say('payment.captured', { payment })
    order['status'] = 'paid'
    say('order.paid', { payment, order })
  }

  return {
    orders,
    payments,
    refunds,
    disputes,
    createOrder({ amount, currency, receipt }) {
      const order = make('order', { entity: 'order', amount, currency, receipt, status: 'created' })
      orders.set(order.id, order)
      return order
    },
    pay(orderId, { status = 'captured', ...change } = {}) {
      const { amount, currency } = existing(orders, orderId)
      const facts = { entity: 'payment', order_id: orderId, amount, currency, amount_refunded: 0 }
      const payment = make('pay', { ...facts, ...change, status })
      payments.set(payment.id, payment)
      announce(payment)
      return payment
    },
    move(paymentId, status) {
      const payment = existing(payments, paymentId)
      payment['status'] = status
      announce(payment)
      return payment
    },
    refund(paymentId, { amount, notes }) {
      const payment = existing(payments, paymentId)
      const refunded = Number(payment['amount_refunded']) + Number(amount)
      payment['amount_refunded'] = refunded
      if (refunded >= Number(payment['amount'])) payment['status'] = 'refunded'
      const refund = make('rfnd', {
        entity: 'refund',
        payment_id: paymentId,
        amount,
        notes: notes ?? [],
        status: 'pending',
      })
      refunds.set(refund.id, refund)
      say('refund.created', { refund, payment })
      return refund
    },
    finishRefund(refundId, status) {
      const refund = existing(refunds, refundId)
      refund['status'] = status
      const payment = existing(payments, String(refund['payment_id']))
      if (status === 'failed') {
        payment['amount_refunded'] = Number(payment['amount_refunded']) - Number(refund['amount'])
        payment['status'] = 'captured'
      }
      say(`refund.${status}`, { refund, payment })
      return refund
    },
    ...disputesOf({ payments, disputes, say }),
  }
}

function disputesOf({
  payments,
  disputes,
  say,
}: Pick<Shop, 'payments' | 'disputes'> & { say: Teller }): Pick<
  Shop,
  'openDispute' | 'moveDispute'
> {
  return {
    openDispute(paymentId, amount) {
      const payment = existing(payments, paymentId)
      const facts = {
        entity: 'dispute',
        payment_id: paymentId,
        amount: amount ?? payment['amount'],
      }
      const dispute = make('disp', { ...facts, phase: 'chargeback', status: 'open' })
      disputes.set(dispute.id, dispute)
      say('payment.dispute.created', { payment, dispute })
      return dispute
    },
    moveDispute(disputeId, status) {
      const dispute = existing(disputes, disputeId)
      dispute['status'] = status
      const payment = existing(payments, String(dispute['payment_id']))
      say(`payment.dispute.${status === 'open' ? 'created' : status}`, { payment, dispute })
      return dispute
    },
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1_000)
}

function make(prefix: string, fields: Record<string, unknown>): Entity {
  return { id: `${prefix}_${randomBytes(7).toString('hex')}`, created_at: nowSeconds(), ...fields }
}

type Teller = (event: string, entities: Record<string, Entity>) => void

function tellerOf(emit: (event: DoubleEvent) => void): Teller {
  return (event, entities) => {
    const payload = Object.fromEntries(
      Object.entries(entities).map(([name, entity]) => [name, { entity }]),
    )
    const contains = Object.keys(entities)
    const message = { entity: 'event', event, contains, payload, created_at: nowSeconds() }
    emit({ eventId: randomBytes(7).toString('hex'), body: JSON.stringify(message) })
  }
}

function existing(map: ReadonlyMap<string, Entity>, id: string): Entity {
  const entity = map.get(id)
  if (entity === undefined) throw new Error(`there is no ${id}`)
  return entity
}
