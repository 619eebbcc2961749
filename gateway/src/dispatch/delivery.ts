import { countersign, type Signer, sealReceipt } from '@lexora/protocol'
import type { Logger } from 'pino'
import type { Ledger } from '../billing/ledger.ts'
import type { Settlements } from '../billing/settlements.ts'
import type { AttemptResult } from './attempt.ts'
import type { PreparedRequest } from './request.ts'

/** What a provider delivered for a request, whether or not it could say so itself. */
export interface Delivery {
  provider: string
  modelSha256: Uint8Array
  result: AttemptResult
}

/** What settling uses. */
export interface DeliveryComponents {
  ledger: Ledger
  settlements: Settlements
  signer: Signer
  /** Unix time in ms. */
  clock: () => number
}

/**
 * Delivered tokens are paid, nothing else is: with the provider's own receipt where there is one, countersigned. A lost
 * provider could not sign, so the gateway attests what it counted. Where nothing was delivered the hold is released.
 */
export async function settleDelivery(
  components: DeliveryComponents,
  context: { request: PreparedRequest; log: Logger },
  delivery: Delivery,
): Promise<void> {
  const { signer, settlements } = components
  const { request, log } = context
  if (delivery.result.usage.completionTokens === 0) {
    releaseHold(components.ledger, request.holdId, log)
    return
  }
  const receipt = delivery.result.terminal?.receipt ?? attest(components, request, delivery)
  try {
    await settlements.put(request.holdId, countersign(signer, receipt))
  } catch (error) {
    log.error(
      { err: error },
      'a receipt could not be kept; the provider’s own claim settles the hold',
    )
  }
}

/** Frees the money of a request that delivered nothing. In the background: a lost release expires by its lease. */
export function releaseHold(ledger: Ledger, holdId: string, log: Logger): void {
  ledger.voidHold(holdId).catch((error: unknown) => {
    log.warn({ err: error }, 'a hold could not be released; it expires by its lease')
  })
}

function attest(
  components: DeliveryComponents,
  request: PreparedRequest,
  delivery: Delivery,
): Uint8Array {
  const { signer, clock } = components
  const { usage } = delivery.result
  return sealReceipt(signer, {
    holdId: request.holdId,
    requestId: request.requestId,
    requestHash: request.requestHash,
    model: request.model,
    modelSha256: delivery.modelSha256,
    provider: delivery.provider,
    gateway: signer.peerId,
    tokenStart: 0,
    tokenEnd: usage.completionTokens,
    usage,
    finishReason: 'failed',
    queueMs: 0,
    prefillMs: 0,
    decodeMs: 0,
    priceVersion: request.priceVersion,
    issuedAtMs: clock(),
  })
}
