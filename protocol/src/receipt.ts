import { createHash } from 'node:crypto'
import { SHA256_BYTES } from './capability.ts'
import {
  MODEL_ID_LENGTH_MAX,
  PEER_ID_LENGTH_MAX,
  RECORD_BYTES_MAX,
  SHORT_TEXT_LENGTH_MAX,
} from './constants.ts'
import { isSignedBy, open, SIGNATURE_BYTES, type Signer, seal } from './envelope.ts'
import { LexoraError } from './errors.ts'
import type { FinishReason, Usage } from './inference.ts'
import { publicKeyOf } from './peer-id.ts'
import { REQUEST_ID_BYTES } from './voucher.ts'
import { bytesOf, bytesUpTo, count, refuse, text, timeMs, word } from './wire/check.ts'
import { type Codec, codec, view } from './wire/codec.ts'
import {
  Receipt as Generated,
  CountersignedReceipt as GeneratedCountersigned,
} from './wire/generated/inference.ts'

/** Every finish reason, for checking what a peer says. */
export const FINISH_REASONS: readonly FinishReason[] = ['stop', 'length', 'cancelled', 'failed']

const UINT32_MAX = 0xffff_ffff

/** What one provider delivered for one request: the range of output tokens, the usage and the times. */
export interface Receipt {
  holdId: string
  requestId: Uint8Array
  /** `sha256(salt || encoded chat request)`: proves which request, reveals nothing of it. */
  requestHash: Uint8Array
  model: string
  modelSha256: Uint8Array
  provider: string
  gateway: string
  /** Output tokens delivered: from tokenStart up to but not including tokenEnd. */
  tokenStart: number
  tokenEnd: number
  usage: Usage
  finishReason: FinishReason
  queueMs: number
  prefillMs: number
  decodeMs: number
  priceVersion: number
  issuedAtMs: number
}

/** Wire form of {@link Receipt}. Checks that range and usage agree. */
export const receiptCodec: Codec<Receipt> = codec(Generated, {
  name: 'receipt',
  bytesMax: RECORD_BYTES_MAX,
  toWire: ({ usage, ...value }) => ({
    ...value,
    ...usage,
    requestId: view(value.requestId),
    requestHash: view(value.requestHash),
    modelSha256: view(value.modelSha256),
  }),
  fromWire: (raw) => {
    const promptTokens = count(raw.promptTokens, 'promptTokens', UINT32_MAX)
    const tokenStart = count(raw.tokenStart, 'tokenStart', UINT32_MAX)
    const tokenEnd = count(raw.tokenEnd, 'tokenEnd', UINT32_MAX, tokenStart)
    if (raw.completionTokens !== tokenEnd - tokenStart)
      refuse('completionTokens', 'must equal the token range')
    return {
      holdId: text(raw.holdId, 'holdId', SHORT_TEXT_LENGTH_MAX),
      requestId: bytesOf(raw.requestId, 'requestId', REQUEST_ID_BYTES),
      requestHash: bytesOf(raw.requestHash, 'requestHash', SHA256_BYTES),
      model: text(raw.model, 'model', MODEL_ID_LENGTH_MAX),
      modelSha256: bytesOf(raw.modelSha256, 'modelSha256', SHA256_BYTES),
      provider: text(raw.provider, 'provider', PEER_ID_LENGTH_MAX),
      gateway: text(raw.gateway, 'gateway', PEER_ID_LENGTH_MAX),
      tokenStart,
      tokenEnd,
      usage: {
        promptTokens,
        cachedTokens: count(raw.cachedTokens, 'cachedTokens', promptTokens),
        completionTokens: raw.completionTokens,
      },
      finishReason: word(raw.finishReason, 'finishReason', FINISH_REASONS),
      queueMs: count(raw.queueMs, 'queueMs', UINT32_MAX),
      prefillMs: count(raw.prefillMs, 'prefillMs', UINT32_MAX),
      decodeMs: count(raw.decodeMs, 'decodeMs', UINT32_MAX),
      priceVersion: count(raw.priceVersion, 'priceVersion', UINT32_MAX),
      issuedAtMs: timeMs(raw.issuedAtMs, 'issuedAtMs'),
    }
  },
})

/** A receipt as the ledger keeps it. */
export interface CountersignedReceipt {
  /** A sealed {@link Receipt}. */
  receipt: Uint8Array
  /** The gateway's signature over the sealed receipt; absent in a provider's own claim. */
  gatewaySignature?: Uint8Array
}

/** Wire form of {@link CountersignedReceipt}. */
export const countersignedReceiptCodec: Codec<CountersignedReceipt> = codec(
  GeneratedCountersigned,
  {
    name: 'countersigned receipt',
    bytesMax: RECORD_BYTES_MAX + 2 * SIGNATURE_BYTES,
    toWire: (value) => ({
      receipt: view(value.receipt),
      ...(value.gatewaySignature === undefined
        ? {}
        : { gatewaySignature: view(value.gatewaySignature) }),
    }),
    fromWire: (raw) => ({
      receipt: bytesUpTo(raw.receipt, 'receipt', RECORD_BYTES_MAX),
      ...(raw.gatewaySignature.byteLength === 0
        ? {}
        : { gatewaySignature: bytesOf(raw.gatewaySignature, 'gatewaySignature', SIGNATURE_BYTES) }),
    }),
  },
)

/** Signs a receipt: by the provider that delivered, or by the gateway for a provider that was lost. */
export function sealReceipt(signer: Signer, receipt: Receipt): Uint8Array {
  return seal(signer, 'lexora-receipt', receiptCodec.encode(receipt))
}

/** The gateway's agreement to a sealed receipt, ready for the ledger. */
export function countersign(gateway: Signer, receipt: Uint8Array): Uint8Array {
  return countersignedReceiptCodec.encode({
    receipt,
    gatewaySignature: gateway.sign('lexora-countersignature', receipt),
  })
}

/** A provider's receipt for its own claim, without the gateway's agreement. */
export function claimReceipt(receipt: Uint8Array): Uint8Array {
  return countersignedReceiptCodec.encode({ receipt })
}

/** Who stands behind a receipt: at least one of them does. */
export interface CheckedReceipt {
  receipt: Receipt
  signedByProvider: boolean
  /** It countersigned, or sealed the receipt itself for a lost provider. */
  signedByGateway: boolean
}

/** Opens a sealed receipt and says who signed it. Throws `malformed`, `frame_too_large` or `signature_invalid`. */
export function openReceipt(bytes: Uint8Array): { receipt: Receipt; signedBy: string } {
  const { payload, signedBy } = open('lexora-receipt', bytes)
  return { receipt: receiptCodec.decode(payload), signedBy }
}

/**
 * Checks a countersigned receipt: the inner signature must be the provider's or, for a lost provider, the gateway's;
 * the outer one, where present, the gateway's. Throws `receipt_invalid`.
 */
export function checkReceipt(bytes: Uint8Array): CheckedReceipt {
  try {
    const countersigned = countersignedReceiptCodec.decode(bytes)
    const { receipt, signedBy } = openReceipt(countersigned.receipt)
    const signedByProvider = signedBy === receipt.provider
    if (!signedByProvider && signedBy !== receipt.gateway)
      refuse('receipt', 'must be signed by its provider or gateway')
    const { gatewaySignature } = countersigned
    const countersignedByGateway =
      gatewaySignature !== undefined &&
      isSignedBy(
        publicKeyOf(receipt.gateway),
        'lexora-countersignature',
        countersigned.receipt,
        gatewaySignature,
      )
    if (gatewaySignature !== undefined && !countersignedByGateway)
      refuse('gatewaySignature', 'does not match')
    return {
      receipt,
      signedByProvider,
      signedByGateway: countersignedByGateway || signedBy === receipt.gateway,
    }
  } catch (cause) {
    throw new LexoraError('receipt_invalid', 'the receipt cannot be accepted', { cause })
  }
}

/** The hash by which a receipt names its request: `sha256(salt || encoded chat request)`. */
export function requestHash(salt: Uint8Array, encodedRequest: Uint8Array): Uint8Array {
  return createHash('sha256').update(salt).update(encodedRequest).digest()
}
