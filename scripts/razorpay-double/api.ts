import type { Entity, Shop } from './shop.ts'

/** One request. */
export interface Call {
  method: string
  path: string
  query: URLSearchParams
  body: Record<string, unknown>
  idempotencyKey: string | undefined
}

/** What is answered: JSON, or a page for people. */
export interface Answer {
  status: number
  body: unknown
  isPage?: boolean
}

type Route = (id: string, call: Call) => Answer

/** Razorpay's routes over a shop. */
export function createApi(
  shop: Shop,
  signCheckout: (orderId: string, paymentId: string) => string,
): (call: Call) => Answer {
  const { orders, payments, refunds, disputes } = shop
  const routes: Readonly<Record<string, Route>> = {
    'POST /v1/orders': (_, { body }) => done(shop.createOrder(body)),
    'GET /v1/orders': (_, { query }) => items(orders, 'receipt', query.get('receipt') ?? ''),
    'GET /v1/orders/:id': (id) => found(orders, id),
    'GET /v1/orders/:id/payments': (id) => items(payments, 'order_id', id),
    'GET /v1/payments/:id': (id) => found(payments, id),
    'POST /v1/payments/:id/capture': (id) =>
      payments.has(id) ? done(shop.move(id, 'captured')) : found(payments, id),
    'POST /v1/payments/:id/refund': createRefunds(shop),
    'GET /v1/payments/:id/refunds': (id) => items(refunds, 'payment_id', id),
    'GET /v1/disputes/:id': (id) => found(disputes, id),
    'GET /checkout/:id': (id) => ({
      status: 200,
      body: checkoutPage(orders.get(id)),
      isPage: true,
    }),
    'POST /checkout/:id/pay': (id) => (orders.has(id) ? checkout(id) : found(orders, id)),
  }

  function checkout(orderId: string): Answer {
    const { id } = shop.pay(orderId)
    return done({
      razorpay_order_id: orderId,
      razorpay_payment_id: id,
      razorpay_signature: signCheckout(orderId, id),
    })
  }

  return (call) => {
    const id = /\/((?:order|pay|rfnd|disp)_\w+)/.exec(call.path)?.[1] ?? ''
    const route = `${call.method} ${id === '' ? call.path : call.path.replace(id, ':id')}`
    return routes[route]?.(id, call) ?? refusal(404, 'The requested URL was not found.')
  }
}

/** Refunds with Razorpay's idempotency: the same key and body is the same refund, another body is refused. */
function createRefunds(shop: Shop): Route {
  const byKey = new Map<string, { text: string; refund: Entity }>()
  return (paymentId, { body, idempotencyKey }) => {
    const text = JSON.stringify(body)
    const before = byKey.get(idempotencyKey ?? '')
    if (before !== undefined) {
      return before.text === text ? done(before.refund) : refusal(400, 'Different request body')
    }
    const payment = shop.payments.get(paymentId)
    const left = Number(payment?.['amount'] ?? 0) - Number(payment?.['amount_refunded'] ?? 0)
    if (payment?.['status'] !== 'captured' || Number(body['amount']) > left) {
      return refusal(400, 'The total refund amount is greater than the refund payment amount')
    }
    const refund = shop.refund(paymentId, body)
    if (idempotencyKey !== undefined) byKey.set(idempotencyKey, { text, refund })
    return done(refund)
  }
}

/** An error as Razorpay shows it. */
export function refusal(status: number, description: string): Answer {
  const code = status < 500 ? 'BAD_REQUEST_ERROR' : 'SERVER_ERROR'
  return { status, body: { error: { code, description, metadata: {} } } }
}

function done(body: unknown): Answer {
  return { status: 200, body }
}

function found(map: ReadonlyMap<string, Entity>, id: string): Answer {
  const entity = map.get(id)
  return entity === undefined ? refusal(400, 'The id provided does not exist') : done(entity)
}

function items(map: ReadonlyMap<string, Entity>, field: string, value: string): Answer {
  const fitting = [...map.values()].filter((entity) => entity[field] === value)
  return done({ entity: 'collection', count: fitting.length, items: fitting })
}

function checkoutPage(order: Entity | undefined): string {
  if (order === undefined) return '<!doctype html><title>No such order</title><p>No such order.'
  const amount = (Number(order['amount']) / 100).toFixed(2)
  return `<!doctype html><meta charset="utf-8"><title>Pay (test)</title>
<h1>Test checkout</h1><p>No money moves. Order ${order.id}: $${amount}.</p>
<form method="post" action="/checkout/${order.id}/pay"><button>Pay</button></form>`
}
