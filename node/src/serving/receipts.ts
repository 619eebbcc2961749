import { chatRequestCodec, type Receipt, requestHash } from '@lexora/protocol'
import type { Admission } from './admission.ts'
import type { Delivery } from './answer.ts'

const UINT32_MAX = 0xffff_ffff

/** The receipt of a delivery: which request, by the hash; which hold and price, by the voucher; what was sent. */
export function receiptOf(
  { request, voucher, served, gateway }: Admission,
  delivery: Delivery,
  issue: { provider: string; nowMs: number },
): Receipt {
  const { usage, timings } = delivery
  return {
    holdId: voucher.holdId,
    requestId: request.requestId,
    requestHash: requestHash(request.salt, chatRequestCodec.encode(request.chat)),
    model: request.chat.model,
    modelSha256: Buffer.from(served.model.fileSha256, 'hex'),
    provider: issue.provider,
    gateway,
    tokenStart: 0,
    tokenEnd: usage.completionTokens,
    usage,
    finishReason: delivery.reason,
    queueMs: wholeMs(timings.queueMs),
    prefillMs: wholeMs(timings.prefillMs),
    decodeMs: wholeMs(timings.decodeMs),
    priceVersion: voucher.priceVersion,
    issuedAtMs: issue.nowMs,
  }
}

function wholeMs(ms: number): number {
  return Math.min(UINT32_MAX, Math.max(0, Math.round(ms)))
}
