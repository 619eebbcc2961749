import { SHA256_BYTES } from './capability.ts'
import {
  HOLDS_PER_RENEWAL_MAX,
  LEDGER_MESSAGE_BYTES_MAX,
  MAX_TOKENS_MAX,
  MODEL_ID_LENGTH_MAX,
  RECORD_BYTES_MAX,
  SHORT_TEXT_LENGTH_MAX,
} from './constants.ts'
import type { NanoUsd } from './money.ts'
import type { PriceList } from './price.ts'
import { REQUEST_ID_BYTES } from './voucher.ts'
import { amount, bytesOf, bytesUpTo, count, list, text, timeMs, word } from './wire/check.ts'
import { type Codec, type CodecRules, codec, type GeneratedCodec, view } from './wire/codec.ts'
import * as wire from './wire/generated/ledger.ts'

/** Methods of the ledger's session protocol. */
export const LEDGER_METHODS = {
  enrol: 'enrol',
  renewCertificate: 'renewCertificate',
  authorise: 'authorise',
  settle: 'settle',
  voidHold: 'voidHold',
  renewHolds: 'renewHolds',
  claim: 'claim',
  keyInfo: 'keyInfo',
  prices: 'prices',
} as const

/** Notices that the ledger pushes: revoked keys and members, and a new price list. */
export const REVOCATION_NOTICE = 'revocation'
export const PRICES_NOTICE = 'prices'

const UINT32_MAX = 0xffff_ffff
const COUNT_MAX = Number.MAX_SAFE_INTEGER
const PROMPT_TOKENS_MAX = 100_000_000
/** A balance can be below zero (a chargeback after the money was spent); a cost or a price cannot. */
const BALANCE_MIN: NanoUsd = -(2n ** 63n)
const PRICED_MODELS_MAX = 512
const REVOCATIONS_PER_NOTICE_MAX = 512

/** Asks for a hold. Only the key's hash leaves the gateway. */
export interface AuthoriseRequest {
  keyHash: Uint8Array
  requestId: Uint8Array
  model: string
  promptTokensMax: number
  maxTokens: number
}

/**
 * The hold is placed: a sealed voucher for the provider, what it says in the clear for the gateway, whose account pays,
 * and until when the hold lives unrenewed.
 */
export interface AuthoriseResponse {
  voucher: Uint8Array
  holdId: string
  priceVersion: number
  accountRef: string
  leaseUntilMs: number
}

/** Captures a hold with a countersigned receipt. */
export interface SettleRequest {
  holdId: string
  receipt: Uint8Array
}

/** What was captured and how it was divided. The same request again gives the same answer with `alreadySettled`. */
export interface SettleResponse {
  capturedNanoUsd: NanoUsd
  feeNanoUsd: NanoUsd
  providerNanoUsd: NanoUsd
  alreadySettled: boolean
}

/** Which of the named holds are still open, and until when they live now. */
export interface RenewHoldsResponse {
  openHoldIds: string[]
  leaseUntilMs: number
}

/** What became of a provider's claim: `recorded` waits for the gateway until the lease runs out. */
export const CLAIM_STATES = ['settled', 'recorded', 'expired', 'voided'] as const
/** One of {@link CLAIM_STATES}. */
export type ClaimState = (typeof CLAIM_STATES)[number]

/** What a key's owner may know: whose it is, what is left, what was used. */
export interface KeyInfo {
  accountRef: string
  keyId: string
  label: string
  promoNanoUsd: NanoUsd
  paidNanoUsd: NanoUsd
  heldNanoUsd: NanoUsd
  availableNanoUsd: NanoUsd
  requests: number
  promptTokens: number
  completionTokens: number
  spentNanoUsd: NanoUsd
}

/** Keys and members that are no longer good. */
export interface RevocationNotice {
  keyHashes: Uint8Array[]
  serials: number[]
}

function message<Raw, T>(
  generated: GeneratedCodec<Raw>,
  rules: Omit<CodecRules<Raw, T>, 'bytesMax'>,
): Codec<T> {
  return codec(generated, { ...rules, bytesMax: LEDGER_MESSAGE_BYTES_MAX })
}

const holdId = (value: string): string => text(value, 'holdId', SHORT_TEXT_LENGTH_MAX)
const accountRef = (value: string): string => text(value, 'accountRef', SHORT_TEXT_LENGTH_MAX, 0)
const keyHash = (value: Uint8Array): Uint8Array => bytesOf(value, 'keyHash', SHA256_BYTES)
const receipt = (value: Uint8Array): Uint8Array => bytesUpTo(value, 'receipt', RECORD_BYTES_MAX)

/** Wire forms of the ledger's messages, one codec per request and response. */
export const enrolRequestCodec: Codec<{ token: string }> = message(wire.EnrolRequest, {
  name: 'enrolment request',
  toWire: (value) => value,
  fromWire: (raw) => ({ token: text(raw.token, 'token', SHORT_TEXT_LENGTH_MAX) }),
})

/** Answer to an enrolment or a renewal: a sealed membership certificate. */
export const certificateResponseCodec: Codec<{ certificate: Uint8Array }> = message(
  wire.CertificateResponse,
  {
    name: 'certificate response',
    toWire: (value) => ({ certificate: view(value.certificate) }),
    fromWire: (raw) => ({
      certificate: bytesUpTo(raw.certificate, 'certificate', RECORD_BYTES_MAX),
    }),
  },
)

/** Wire form of {@link AuthoriseRequest}. */
export const authoriseRequestCodec: Codec<AuthoriseRequest> = message(wire.AuthoriseRequest, {
  name: 'authorise request',
  toWire: (value) => ({ ...value, keyHash: view(value.keyHash), requestId: view(value.requestId) }),
  fromWire: (raw) => ({
    keyHash: keyHash(raw.keyHash),
    requestId: bytesOf(raw.requestId, 'requestId', REQUEST_ID_BYTES),
    model: text(raw.model, 'model', MODEL_ID_LENGTH_MAX),
    promptTokensMax: count(raw.promptTokensMax, 'promptTokensMax', PROMPT_TOKENS_MAX),
    maxTokens: count(raw.maxTokens, 'maxTokens', MAX_TOKENS_MAX, 1),
  }),
})

/** Wire form of {@link AuthoriseResponse}. */
export const authoriseResponseCodec: Codec<AuthoriseResponse> = message(wire.AuthoriseResponse, {
  name: 'authorise response',
  toWire: (value) => ({ ...value, voucher: view(value.voucher) }),
  fromWire: (raw) => ({
    voucher: bytesUpTo(raw.voucher, 'voucher', RECORD_BYTES_MAX),
    holdId: holdId(raw.holdId),
    priceVersion: count(raw.priceVersion, 'priceVersion', UINT32_MAX),
    accountRef: accountRef(raw.accountRef),
    leaseUntilMs: timeMs(raw.leaseUntilMs, 'leaseUntilMs'),
  }),
})

/** Wire form of {@link SettleRequest}. A claim has the same shape. */
export const settleRequestCodec: Codec<SettleRequest> = message(wire.SettleRequest, {
  name: 'settle request',
  toWire: (value) => ({ ...value, receipt: view(value.receipt) }),
  fromWire: (raw) => ({ holdId: holdId(raw.holdId), receipt: receipt(raw.receipt) }),
})

/** Wire form of {@link SettleResponse}. */
export const settleResponseCodec: Codec<SettleResponse> = message(wire.SettleResponse, {
  name: 'settle response',
  toWire: (value) => ({
    capturedNanoUsd: value.capturedNanoUsd.toString(),
    feeNanoUsd: value.feeNanoUsd.toString(),
    providerNanoUsd: value.providerNanoUsd.toString(),
    alreadySettled: value.alreadySettled,
  }),
  fromWire: (raw) => ({
    capturedNanoUsd: amount(raw.capturedNanoUsd, 'capturedNanoUsd'),
    feeNanoUsd: amount(raw.feeNanoUsd, 'feeNanoUsd'),
    providerNanoUsd: amount(raw.providerNanoUsd, 'providerNanoUsd'),
    alreadySettled: raw.alreadySettled,
  }),
})

/** Releases a hold with nothing delivered. */
export const voidRequestCodec: Codec<{ holdId: string }> = message(wire.VoidRequest, {
  name: 'void request',
  toWire: (value) => value,
  fromWire: (raw) => ({ holdId: holdId(raw.holdId) }),
})

/** Renews the leases of running requests. */
export const renewHoldsRequestCodec: Codec<{ holdIds: string[] }> = message(
  wire.RenewHoldsRequest,
  {
    name: 'renew request',
    toWire: (value) => value,
    fromWire: (raw) => ({
      holdIds: list(raw.holdIds, 'holdIds', HOLDS_PER_RENEWAL_MAX).map(holdId),
    }),
  },
)

/** Wire form of {@link RenewHoldsResponse}. */
export const renewHoldsResponseCodec: Codec<RenewHoldsResponse> = message(wire.RenewHoldsResponse, {
  name: 'renew response',
  toWire: (value) => value,
  fromWire: (raw) => ({
    openHoldIds: list(raw.openHoldIds, 'openHoldIds', HOLDS_PER_RENEWAL_MAX).map(holdId),
    leaseUntilMs: timeMs(raw.leaseUntilMs, 'leaseUntilMs'),
  }),
})

/** A provider's claim with its own receipt. */
export const claimRequestCodec: Codec<SettleRequest> = message(wire.ClaimRequest, {
  name: 'claim request',
  toWire: (value) => ({ ...value, receipt: view(value.receipt) }),
  fromWire: (raw) => ({ holdId: holdId(raw.holdId), receipt: receipt(raw.receipt) }),
})

/** Answer to a claim. */
export const claimResponseCodec: Codec<{ state: ClaimState }> = message(wire.ClaimResponse, {
  name: 'claim response',
  toWire: (value) => value,
  fromWire: (raw) => ({ state: word(raw.state, 'state', CLAIM_STATES) }),
})

/** Asks what a key's owner may know. */
export const keyInfoRequestCodec: Codec<{ keyHash: Uint8Array }> = message(wire.KeyInfoRequest, {
  name: 'key info request',
  toWire: (value) => ({ keyHash: view(value.keyHash) }),
  fromWire: (raw) => ({ keyHash: keyHash(raw.keyHash) }),
})

/** Wire form of {@link KeyInfo}. */
export const keyInfoCodec: Codec<KeyInfo> = message(wire.KeyInfoResponse, {
  name: 'key info',
  toWire: (value) => ({
    ...value,
    promoNanoUsd: value.promoNanoUsd.toString(),
    paidNanoUsd: value.paidNanoUsd.toString(),
    heldNanoUsd: value.heldNanoUsd.toString(),
    availableNanoUsd: value.availableNanoUsd.toString(),
    spentNanoUsd: value.spentNanoUsd.toString(),
  }),
  fromWire: (raw) => ({
    accountRef: accountRef(raw.accountRef),
    keyId: text(raw.keyId, 'keyId', SHORT_TEXT_LENGTH_MAX),
    label: text(raw.label, 'label', SHORT_TEXT_LENGTH_MAX, 0),
    promoNanoUsd: amount(raw.promoNanoUsd, 'promoNanoUsd', BALANCE_MIN),
    paidNanoUsd: amount(raw.paidNanoUsd, 'paidNanoUsd', BALANCE_MIN),
    heldNanoUsd: amount(raw.heldNanoUsd, 'heldNanoUsd', BALANCE_MIN),
    availableNanoUsd: amount(raw.availableNanoUsd, 'availableNanoUsd', BALANCE_MIN),
    spentNanoUsd: amount(raw.spentNanoUsd, 'spentNanoUsd', BALANCE_MIN),
    requests: count(raw.requests, 'requests', COUNT_MAX),
    promptTokens: count(raw.promptTokens, 'promptTokens', COUNT_MAX),
    completionTokens: count(raw.completionTokens, 'completionTokens', COUNT_MAX),
  }),
})

/** Wire form of a price list: an answer and a pushed notice. */
export const priceListCodec: Codec<PriceList> = message(wire.PriceList, {
  name: 'price list',
  toWire: (value) => ({
    ...value,
    models: value.models.map((price) => ({
      model: price.model,
      inputNanoUsd: price.inputNanoUsd.toString(),
      cachedInputNanoUsd: price.cachedInputNanoUsd.toString(),
      outputNanoUsd: price.outputNanoUsd.toString(),
    })),
  }),
  fromWire: (raw) => ({
    version: count(raw.version, 'version', UINT32_MAX),
    effectiveAtMs: count(raw.effectiveAtMs, 'effectiveAtMs', COUNT_MAX),
    feeBasisPoints: count(raw.feeBasisPoints, 'feeBasisPoints', 10_000),
    models: list(raw.models, 'models', PRICED_MODELS_MAX).map((price) => ({
      model: text(price.model, 'model', MODEL_ID_LENGTH_MAX),
      inputNanoUsd: amount(price.inputNanoUsd, 'inputNanoUsd'),
      cachedInputNanoUsd: amount(price.cachedInputNanoUsd, 'cachedInputNanoUsd'),
      outputNanoUsd: amount(price.outputNanoUsd, 'outputNanoUsd'),
    })),
  }),
})

/** Wire form of {@link RevocationNotice}. */
export const revocationNoticeCodec: Codec<RevocationNotice> = message(wire.RevocationNotice, {
  name: 'revocation notice',
  toWire: (value) => ({ keyHashes: value.keyHashes.map(view), serials: value.serials }),
  fromWire: (raw) => ({
    keyHashes: list(raw.keyHashes, 'keyHashes', REVOCATIONS_PER_NOTICE_MAX).map(keyHash),
    serials: list(raw.serials, 'serials', REVOCATIONS_PER_NOTICE_MAX).map((serial) =>
      count(serial, 'serial', COUNT_MAX),
    ),
  }),
})
