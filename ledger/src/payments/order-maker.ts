import type { TopUp } from '../core/payments.ts'
import { orderTopUp } from '../core/rules/topups.ts'
import type { Desk } from '../desk.ts'
import type { PaymentProvider } from './payment-provider.ts'

/** Gives the order of a top-up, made now where there is none. Throws what the payment company's calls throw. */
export type OrderMaker = (provider: PaymentProvider, topUp: TopUp) => Promise<string>

/** Makes one order for each top-up, however many ask at once. */
export function createOrderMaker({ writer }: Desk): OrderMaker {
  const running = new Map<string, Promise<string>>()

  async function make(provider: PaymentProvider, topUp: TopUp): Promise<string> {
    const { topUpId: receipt, amount } = topUp
    // Orders have no idempotency key, and the answer to an earlier attempt may have been lost.
    const order =
      (await provider.findOrder(receipt)) ?? (await provider.createOrder({ receipt, amount }))
    const { orderId } = order
    return (await writer.submit(orderTopUp, { topUpId: receipt, orderId })).orderId ?? orderId
  }

  return async (provider, topUp) => {
    const { topUpId, orderId } = topUp
    if (orderId !== undefined) return orderId
    const before = running.get(topUpId)
    if (before !== undefined) return before
    const made = make(provider, topUp).finally(() => running.delete(topUpId))
    running.set(topUpId, made)
    return made
  }
}
