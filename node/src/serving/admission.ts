import {
  type ChatRequest,
  checkVoucher,
  type InferRequest,
  inferRequestCodec,
  LexoraError,
  type Voucher,
} from '@lexora/protocol'
import type { Slot, Slots } from '../capacity/slots.ts'
import type { Engine, EngineModel } from '../engines/engine.ts'
import type { VoucherMemory } from './vouchers.ts'

/** A model that this node serves, and the engine that runs it. */
export interface ServedModel {
  engine: Engine
  model: EngineModel
}

/** What an admission looks at. */
export interface AdmissionComponents {
  slots: Slots
  vouchers: VoucherMemory
  /** The served model of an id. */
  find: (model: string) => ServedModel | undefined
  /** Why no further receipt could be kept, if so: work without a receipt is not paid. */
  outboxRefusal: (running: number) => LexoraError | undefined
  /** Unix time in ms. */
  clock: () => number
}

/** A request that may run now: everything was checked and a slot is reserved. */
export interface Admission {
  request: InferRequest
  voucher: Voucher
  served: ServedModel
  /** The peer id of the gateway that asked. */
  gateway: string
  slot: Slot
}

/**
 * Decides on a request before a cycle is spent on it, in one turn of the event loop so that no two share a voucher or
 * a slot: the message, the voucher, whether both say the same, the model, the outbox, the slot, the voucher's first
 * use. Throws `malformed`, `frame_too_large`, `voucher_invalid`, `model_not_found`, `storage_full`,
 * `provider_draining` or `provider_busy`.
 */
export function admit(
  components: AdmissionComponents,
  payload: Uint8Array,
  peers: { ledgerPeerId: string; gateway: string },
): Admission {
  const { slots, vouchers } = components
  const { gateway, ledgerPeerId } = peers
  const request = inferRequestCodec.decode(payload)
  const voucher = checkVoucher(request.voucher, {
    ledgerPeerId,
    gateway,
    nowMs: components.clock(),
  })
  checkAgreement(request, voucher)
  const served = components.find(request.chat.model)
  if (served === undefined)
    throw new LexoraError('model_not_found', 'this provider does not serve the model')
  const refusal = components.outboxRefusal(slots.running)
  if (refusal !== undefined) throw refusal
  const slot = slots.reserve(request.chat.model)
  try {
    vouchers.use(voucher.holdId)
  } catch (error) {
    slot.release()
    throw error
  }
  return { request, voucher, served, gateway, slot }
}

function checkAgreement({ requestId, chat }: InferRequest, voucher: Voucher): void {
  const fault = disagreement(requestId, chat, voucher)
  if (fault !== undefined) throw new LexoraError('voucher_invalid', `the voucher ${fault}`)
}

function disagreement(
  requestId: Uint8Array,
  chat: ChatRequest,
  voucher: Voucher,
): string | undefined {
  if (Buffer.compare(requestId, voucher.requestId) !== 0) return 'was made for another request'
  if (chat.model !== voucher.model) return 'was made for another model'
  if (chat.maxTokens > voucher.maxTokens)
    return 'covers fewer output tokens than the request asks for'
  return undefined
}
