import { z } from 'zod'
import { amount, limit, type Operation, operation, text } from './operation.ts'

/** Names of operations on bought credit and on what providers are paid. */
export type PaymentOperationName =
  | 'topup.create'
  | 'topup.confirm'
  | 'topup.list'
  | 'payment.list'
  | 'payment.reconcile'
  | 'refund.create'
  | 'refund.list'
  | 'dispute.list'
  | 'earnings.show'
  | 'earnings.reverse'
  | 'payouts.prepare'
  | 'payouts.approve'
  | 'payouts.mark'
  | 'payouts.list'
  | 'payouts.export'

const cents = z.number().int().positive()
const ofAccount = z.strictObject({ accountId: text })

/** Operations on bought credit and on what providers are paid. */
export const PAYMENT_OPERATIONS: Readonly<Record<PaymentOperationName, Operation>> = {
  'topup.create': operation(
    z.strictObject({ accountId: text, amountCents: cents, id: text }),
    (service, input) => service.createTopUp(input),
  ),
  'topup.confirm': operation(
    z.strictObject({ accountId: text, topUpId: text, paymentId: text, signature: text }),
    (service, input) => service.confirmCheckout(input),
  ),
  'topup.list': operation(ofAccount, (service, { accountId }) => service.listTopUps(accountId)),
  'payment.list': operation(ofAccount, (service, { accountId }) => service.listPayments(accountId)),
  'payment.reconcile': operation(z.strictObject({}), (service) => service.reconcilePayments()),
  'refund.create': operation(
    z.strictObject({
      accountId: text,
      paymentId: text,
      amountCents: cents.optional(),
      speed: z.enum(['normal', 'optimum']),
      reason: text,
      id: text,
    }),
    (service, input) => service.requestRefund(input),
  ),
  'refund.list': operation(z.strictObject({ limit }), (service, input) =>
    service.listRefunds().slice(-input.limit),
  ),
  'dispute.list': operation(z.strictObject({ limit }), (service, input) =>
    service.listDisputes().slice(-input.limit),
  ),
  'earnings.show': operation(ofAccount, (service, { accountId }) => service.earnings(accountId)),
  'earnings.reverse': operation(
    z.strictObject({ accountId: text, amount, id: text }),
    (service, input) => service.reverseEarnings(input),
  ),
  'payouts.prepare': operation(
    z.strictObject({ thresholdNanoUsd: amount, actor: text }),
    (service, input) => service.preparePayouts(input),
  ),
  'payouts.approve': operation(z.strictObject({ batchId: text, actor: text }), (service, input) =>
    service.approvePayouts(input),
  ),
  'payouts.mark': operation(
    z.strictObject({
      payoutId: text,
      state: z.enum(['paid', 'failed', 'reversed']),
      note: text,
    }),
    (service, input) => service.markPayout(input),
  ),
  'payouts.list': operation(z.strictObject({ limit }), (service, input) =>
    service.listBatches().slice(-input.limit),
  ),
  'payouts.export': operation(z.strictObject({ batchId: text }), (service, { batchId }) => ({
    csv: service.exportPayouts(batchId),
  })),
}
