import {
  errorCodeOf,
  inferTerminalCodec,
  type LexoraError,
  type Signer,
  sealReceipt,
} from '@lexora/protocol'
import type { RequestContext, RequestHandler } from '@lexora/protocol/mesh'
import { type Admission, type AdmissionComponents, admit } from './admission.ts'
import { type AnswerOptions, type Delivery, deliver } from './answer.ts'
import { receiptOf } from './receipts.ts'

/** The log of the serving side. Fields never hold prompts or outputs. */
export interface ServeLog {
  debug(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Where receipts are kept before the gateway gets them. */
export interface ReceiptOutbox {
  /** Why no further receipt could be kept, with so many requests running; undefined while there is room. */
  refusal(running: number): LexoraError | undefined
  /** Keeps a sealed receipt. `gatewayLost` says that nobody else will settle it. */
  put(entry: { holdId: string; receipt: Uint8Array; gatewayLost: boolean }): Promise<void>
}

/** What serving uses. */
export interface ServeComponents extends Omit<AdmissionComponents, 'outboxRefusal'> {
  outbox: ReceiptOutbox
  signer: Signer
  log: ServeLog
}

/** How serving behaves. */
export interface ServeOptions extends AnswerOptions {
  /** The pinned ledger, whose vouchers are good. */
  ledgerPeerId: string
}

/**
 * Makes the handler of inference requests: admits, runs the engine, and ends with a signed receipt that is in the
 * outbox before the gateway can know that it exists. The slot is free again whatever happens.
 */
export function createServe(components: ServeComponents, options: ServeOptions): RequestHandler {
  const { outbox, vouchers, log } = components
  const admission = { ...components, outboxRefusal: (running: number) => outbox.refusal(running) }

  async function answer(admitted: Admission, context: RequestContext): Promise<Uint8Array> {
    let delivery: Delivery | undefined
    let accepted = false
    const send = (payload: Uint8Array): void => {
      accepted = true
      context.send(payload)
    }
    try {
      delivery = await deliver(
        { context: { signal: context.signal, send }, log },
        admitted,
        options,
      )
      return await conclude(admitted, delivery, context)
    } finally {
      if (!accepted) vouchers.unuse(admitted.voucher.holdId)
      admitted.slot.release(sampleOf(delivery))
    }
  }

  async function conclude(
    admitted: Admission,
    delivery: Delivery,
    context: RequestContext,
  ): Promise<Uint8Array> {
    const gatewayLost = !context.session.isOpen
    const receipt = receiptOf(admitted, delivery, {
      provider: components.signer.peerId,
      nowMs: components.clock(),
    })
    const { finishReason, usage } = receipt
    const sealed = sealReceipt(components.signer, receipt)
    // An answer of no tokens to a gateway that is gone reached nobody: nothing is claimed for it.
    if (usage.completionTokens > 0 || !gatewayLost)
      await keep(admitted.voucher.holdId, sealed, gatewayLost)
    log.debug(
      { model: receipt.model, peer: receipt.gateway, finishReason, gatewayLost, ...usage },
      'request finished',
    )
    return inferTerminalCodec.encode({ finishReason, usage, receipt: sealed })
  }

  /** Without its outbox this provider can still be paid by the gateway, so a failed write does not fail the answer. */
  async function keep(holdId: string, receipt: Uint8Array, gatewayLost: boolean): Promise<void> {
    try {
      await outbox.put({ holdId, receipt, gatewayLost })
    } catch (error) {
      log.error({ code: errorCodeOf(error), holdId }, 'receipt not kept')
    }
  }

  return async (payload, context) => {
    const peers = { ledgerPeerId: options.ledgerPeerId, gateway: context.session.remotePeer }
    return answer(admit(admission, payload, peers), context)
  }
}

function sampleOf(
  delivery: Delivery | undefined,
): { completionTokens: number; decodeMs: number } | undefined {
  if (delivery?.reason !== 'stop' && delivery?.reason !== 'length') return undefined
  return { completionTokens: delivery.usage.completionTokens, decodeMs: delivery.timings.decodeMs }
}
