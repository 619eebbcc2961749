import { mergeRefund } from '../core/rules/refunds.ts'
import { mergePayment, orderTopUp } from '../core/rules/topups.ts'
import type { Desk } from '../desk.ts'
import type { PaymentProvider, ProviderPayment } from './payment-provider.ts'

/** Enters what the payment company says of payments and their refunds. */
export interface Intake {
  /** Our top-up of an order, also of one whose making was never entered; undefined where it is not ours. */
  topUpOf(provider: PaymentProvider, orderId: string): Promise<string | undefined>
  /** Enters a payment with its refunds. False where it is not ours. */
  enter(provider: PaymentProvider, news: ProviderPayment): Promise<boolean>
  refundsOf(provider: PaymentProvider, paymentId: string): Promise<void>
}

/** Makes an intake. */
export function createIntake(desk: Desk): Intake {
  const { writer, state, log } = desk
  const { bought } = state

  async function topUpOf(provider: PaymentProvider, orderId: string): Promise<string | undefined> {
    const known = bought.orders.get(orderId)
    if (known !== undefined || orderId === '') return known
    const { receipt } = await provider.order(orderId)
    if (!bought.topUps.has(receipt)) return undefined
    await writer.submit(orderTopUp, { topUpId: receipt, orderId })
    return receipt
  }

  async function enter(provider: PaymentProvider, news: ProviderPayment): Promise<boolean> {
    const topUpId = await topUpOf(provider, news.orderId)
    if (topUpId === undefined) return false
    const { orderId: _, hasRefunds, ...rest } = news
    const before = bought.payments.get(news.paymentId)
    const payment = await writer.submit(mergePayment, { ...rest, topUpId })
    if (payment.creditedAtMs !== undefined && before?.creditedAtMs === undefined) {
      const { accountId, paymentId, flag } = payment
      log.info({ accountId, paymentId, flag }, 'payment credited')
    }
    if (hasRefunds) await refundsOf(provider, news.paymentId)
    return true
  }

  async function refundsOf(provider: PaymentProvider, paymentId: string): Promise<void> {
    for (const news of await provider.refundsOf(paymentId)) await writer.submit(mergeRefund, news)
  }

  return { topUpOf, enter, refundsOf }
}
