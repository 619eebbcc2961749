import { randomBytes } from 'node:crypto'
import {
  type AuthoriseResponse,
  type ChatRequest,
  chatRequestCodec,
  inferRequestCodec,
  type ModelOffer,
  promptTokensBound,
  requestHash,
  SALT_BYTES,
} from '@lexora/protocol'
import type { AttemptRequest } from './attempt.ts'

/** A request on its way: what every attempt at it shares. */
export interface PreparedRequest {
  requestId: Uint8Array
  holdId: string
  priceVersion: number
  requestHash: Uint8Array
  /** The encoded inference request, the same for each provider that is asked. */
  payload: Uint8Array
  promptTokensMax: number
  model: string
  maxTokens: number
}

/** Encodes a request once its hold is placed. The salt keeps its hash from being guessed back to a prompt. */
export function prepareRequest(
  chat: ChatRequest,
  requestId: Uint8Array,
  authorised: AuthoriseResponse,
): PreparedRequest {
  const salt = randomBytes(SALT_BYTES)
  return {
    requestId,
    holdId: authorised.holdId,
    priceVersion: authorised.priceVersion,
    requestHash: requestHash(salt, chatRequestCodec.encode(chat)),
    payload: inferRequestCodec.encode({ requestId, voucher: authorised.voucher, salt, chat }),
    promptTokensMax: promptTokensBound(chat),
    model: chat.model,
    maxTokens: chat.maxTokens,
  }
}

/** What one provider is asked: the request, bound to this gateway and to the model file that the provider offers. */
export function attemptRequest(
  request: PreparedRequest,
  gateway: string,
  offer: ModelOffer,
): AttemptRequest {
  const { holdId, requestId, requestHash: hash, model, priceVersion } = request
  return {
    payload: request.payload,
    expected: {
      holdId,
      requestId,
      requestHash: hash,
      model,
      gateway,
      priceVersion,
      modelSha256: offer.fileSha256,
    },
    promptTokensMax: request.promptTokensMax,
    maxTokens: request.maxTokens,
  }
}
