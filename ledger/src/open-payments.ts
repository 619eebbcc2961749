import type { Logger } from 'pino'
import type { PaymentConfig } from './config.ts'
import type { HttpEdge } from './http/http-edge.ts'
import type { PaymentProvider } from './payments/payment-provider.ts'
import type { LedgerService } from './service.ts'

/** The payment company of a configuration. Its package is loaded only where credit is sold. */
export async function openPayments(
  config: PaymentConfig | undefined,
): Promise<{ payments?: PaymentProvider }> {
  if (config === undefined) return {}
  const { createRazorpay } = await import('./payments/razorpay.ts')
  return { payments: createRazorpay(config.razorpay) }
}

/** The door for the payment company's webhooks; none where no credit is sold. */
export async function openWebhooks(
  config: PaymentConfig | undefined,
  components: { service: LedgerService; log: Logger },
): Promise<HttpEdge[]> {
  if (config === undefined) return []
  const { createHttpEdge } = await import('./http/http-edge.ts')
  return [createHttpEdge(components, config.webhooks)]
}
