import { LexoraError, NANO_USD_PER_CENT, type NanoUsd } from '@lexora/protocol'
import Razorpay from 'razorpay'
import type { PaymentProvider } from './payment-provider.ts'
import {
  REFUND_NOTE,
  readDispute,
  readEvent,
  readItems,
  readOrder,
  readPayment,
  readRefund,
} from './razorpay-entities.ts'
import { checkRazorpaySettings, type RazorpaySettings } from './razorpay-settings.ts'
import { isSignedWith } from './razorpay-signature.ts'

/** Razorpay answers in a second; after this nobody knows whether it was done. */
const TIMEOUT_MS = 10_000
/** A page of a hundred payments is about 100 KB. */
const ANSWER_BYTES_MAX = 1024 ** 2

/** What the package keeps to itself: its axios instance. */
interface Inside {
  api: {
    rq: {
      defaults: Record<string, unknown>
      interceptors: {
        response: { use(onAnswer: undefined, onError: (error: unknown) => unknown): unknown }
      }
      post(url: string, body: object, options: object): Promise<{ data: unknown }>
    }
  }
}

/**
 * Razorpay by its own package, mended: the package knows no other base URL and no timeout, turns network errors into a
 * TypeError, drops idempotency headers and compares signatures with `===`. Throws `invalid_request` for settings that
 * are not safe.
 */
export function createRazorpay(
  given: RazorpaySettings,
  options: { timeoutMs?: number } = {},
): PaymentProvider {
  const settings = checkRazorpaySettings(given)
  const sdk = new Razorpay({ key_id: settings.keyId, key_secret: settings.keySecret })
  const { rq } = (sdk as unknown as Inside).api
  Object.assign(rq.defaults, {
    timeout: options.timeoutMs ?? TIMEOUT_MS,
    maxRedirects: 0,
    maxContentLength: ANSWER_BYTES_MAX,
    ...(settings.url === undefined ? {} : { baseURL: settings.url }),
  })
  // The package reads `error.response` of errors that have none.
  rq.interceptors.response.use(undefined, (error) => {
    if (hasResponse(error)) throw error
    throw Object.assign(new Error('no answer'), { response: { status: 0, data: {} } })
  })
  const secrets = [settings.webhookSecret, settings.webhookSecretPrevious ?? []].flat()

  return {
    publicKey: settings.keyId,
    createOrder: async ({ receipt, amount }) =>
      readOrder(
        await told(sdk.orders.create({ receipt, amount: centsOf(amount), currency: 'USD' })),
      ),
    async findOrder(receipt) {
      const found = await told(sdk.orders.all({ receipt } as object))
      return readItems(found, readOrder).find((order) => order.receipt === receipt)
    },
    order: async (orderId) => readOrder(await told(sdk.orders.fetch(orderId))),
    paymentsOf: async (orderId) =>
      readItems(await told(sdk.orders.fetchPayments(orderId)), readPayment),
    payment: async (paymentId) => readPayment(await told(sdk.payments.fetch(paymentId))),
    capture: async ({ paymentId, amount }) =>
      readPayment(await told(sdk.payments.capture(paymentId, centsOf(amount), 'USD'))),
    async refund({ refundId, paymentId, amount, speed }) {
      const body = { amount: centsOf(amount), speed, notes: { [REFUND_NOTE]: refundId } }
      const url = `/v1/payments/${encodeURIComponent(paymentId)}/refund`
      const headers = { 'X-Refund-Idempotency': refundId }
      const asked = rq.post(url, body, { headers }).catch((error: unknown) => {
        const { status, data } = (error as { response: { status: number; data: unknown } }).response
        throw Object.assign(new Error('refused'), { statusCode: status, data })
      })
      return readRefund((await told(asked)).data)
    },
    refundsOf: async (paymentId) =>
      readItems(
        await told(sdk.payments.fetchMultipleRefund(paymentId, { count: 100 })),
        readRefund,
      ),
    dispute: async (disputeId) => readDispute(await told(sdk.disputes.fetch(disputeId))),
    isCheckoutGenuine: ({ orderId, paymentId, signature }) =>
      isSignedWith(settings.keySecret, `${orderId}|${paymentId}`, signature),
    readEvent(body, signature) {
      if (!secrets.some((secret) => isSignedWith(secret, body, signature))) {
        throw new LexoraError('signature_invalid', 'the event is not signed by the payment company')
      }
      return readEvent(body)
    },
  }
}

function hasResponse(error: unknown): boolean {
  const response = (error as { response?: { data?: unknown } } | undefined)?.response
  return typeof response === 'object' && typeof response.data !== 'undefined'
}

/** What the package rejects with has a status and is no Error; none of its text is passed on. */
async function told<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (cause) {
    const status = Number((cause as { statusCode?: unknown } | undefined)?.statusCode ?? 0)
    const facts = { status }
    if (status >= 400 && status < 500 && ![401, 403, 408, 409, 425, 429].includes(status)) {
      throw new LexoraError('invalid_request', 'the payment company refused', { facts })
    }
    throw new LexoraError('timeout', 'the payment company gave no clear answer', { facts })
  }
}

function centsOf(amount: NanoUsd): number {
  return Number(amount / NANO_USD_PER_CENT)
}
