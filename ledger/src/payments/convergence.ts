import { errorCodeOf } from '@lexora/protocol'
import type { PaymentEvent } from '../core/payments.ts'
import { mergeDispute } from '../core/rules/disputes.ts'
import { mergeRefund, submitRefund } from '../core/rules/refunds.ts'
import { expireTopUp, orderTopUp } from '../core/rules/topups.ts'
import type { Desk } from '../desk.ts'
import { createIntake } from './intake.ts'
import type { PaymentProvider } from './payment-provider.ts'

/**
 * Brings our books to what the payment company says now. Events only say what to ask about: their content is a picture
 * of the past, and they come twice, late, in any order or never.
 */
export interface Convergence {
  /** Everything that an event names. What is not ours is left alone. */
  event(provider: PaymentProvider, event: PaymentEvent): Promise<void>
  payment(provider: PaymentProvider, paymentId: string): Promise<void>
  topUp(provider: PaymentProvider, topUpId: string): Promise<void>
  refund(provider: PaymentProvider, refundId: string): Promise<void>
  dispute(provider: PaymentProvider, disputeId: string): Promise<void>
}

/** Makes the asking half of the payment desk. */
export function createConvergence(desk: Desk): Convergence {
  const { writer, state, log } = desk
  const { bought } = state
  const { topUpOf, enter, refundsOf } = createIntake(desk)

  async function payment(provider: PaymentProvider, paymentId: string): Promise<void> {
    await enter(provider, await provider.payment(paymentId))
  }

  async function order(provider: PaymentProvider, orderId: string): Promise<void> {
    if ((await topUpOf(provider, orderId)) === undefined) return
    for (const news of await provider.paymentsOf(orderId)) await enter(provider, news)
  }

  async function dispute(provider: PaymentProvider, disputeId: string): Promise<void> {
    const news = await provider.dispute(disputeId)
    if (!(await enter(provider, await provider.payment(news.paymentId)))) return
    const { accountId, state: now } = await writer.submit(mergeDispute, news)
    log.warn({ accountId, disputeId, state: now }, 'payment disputed')
  }

  async function topUp(provider: PaymentProvider, topUpId: string): Promise<void> {
    const known = bought.topUps.get(topUpId)?.orderId
    const orderId = known ?? (await provider.findOrder(topUpId))?.orderId
    if (orderId !== undefined) {
      await writer.submit(orderTopUp, { topUpId, orderId })
      for (const news of await provider.paymentsOf(orderId)) {
        // Authorised late, after the time in which the company captures by itself.
        const isLate = news.state === 'authorised' && news.isUsd
        await enter(provider, isLate ? await provider.capture(news) : news)
      }
    }
    await writer.submit(expireTopUp, { topUpId })
  }

  async function refund(provider: PaymentProvider, refundId: string): Promise<void> {
    // Durable before the company is asked, so that a crash in between asks again under the same key.
    const { paymentId, amount, speed, ...before } = await writer.submit(submitRefund, { refundId })
    if (before.state !== 'submitted') return
    if (before.providerRefundId !== undefined) return refundsOf(provider, paymentId)
    try {
      const news = await provider.refund({ refundId, paymentId, amount, speed })
      await writer.submit(mergeRefund, { ...news, refundId })
    } catch (error) {
      if (errorCodeOf(error) !== 'invalid_request') throw error
      // Refused now; but an earlier attempt may have gone through.
      await refundsOf(provider, paymentId)
      if (bought.refunds.get(refundId)?.providerRefundId !== undefined) return
      await writer.submit(mergeRefund, { refundId, paymentId, amount, state: 'failed' })
      log.warn({ refundId, paymentId }, 'the payment company refused a refund')
    }
  }

  return {
    async event(provider, { orderId, paymentId, refundId, disputeId }) {
      try {
        if (disputeId !== undefined) await dispute(provider, disputeId)
        if (paymentId !== undefined) await payment(provider, paymentId)
        if (refundId !== undefined && paymentId !== undefined && bought.payments.has(paymentId)) {
          await refundsOf(provider, paymentId)
        }
        if (orderId !== undefined) await order(provider, orderId)
      } catch (error) {
        // The company does not know what it told us about, or it is not ours: asking again helps nobody.
        if (!['invalid_request', 'not_found', 'conflict'].includes(errorCodeOf(error))) throw error
        log.warn({ err: error, paymentId, disputeId }, 'an event led nowhere')
      }
    },
    payment,
    topUp,
    refund,
    dispute,
  }
}
