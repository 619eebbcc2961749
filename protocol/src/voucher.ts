import {
  CLOCK_SKEW_MS,
  MAX_TOKENS_MAX,
  MODEL_ID_LENGTH_MAX,
  PEER_ID_LENGTH_MAX,
  RECORD_BYTES_MAX,
  SHORT_TEXT_LENGTH_MAX,
  VOUCHER_LIFETIME_MS,
} from './constants.ts'
import { open, type Signer, seal } from './envelope.ts'
import { LexoraError } from './errors.ts'
import type { NanoUsd } from './money.ts'
import { amount, bytesOf, count, text, timeMs } from './wire/check.ts'
import { type Codec, codec, view } from './wire/codec.ts'
import { Voucher as Generated } from './wire/generated/inference.ts'

/** Bytes of a request id: random, made by the gateway. */
export const REQUEST_ID_BYTES = 16

/** Most prompt tokens that a voucher can speak of. */
const PROMPT_TOKENS_MAX = 100_000_000

/** The ledger's word that the money for one request is set aside. A provider checks it before it spends a cycle. */
export interface Voucher {
  holdId: string
  requestId: Uint8Array
  /** The only gateway that may use it. */
  gateway: string
  model: string
  priceVersion: number
  ceilingNanoUsd: NanoUsd
  promptTokensMax: number
  maxTokens: number
  /** Unix ms by which the provider must have been asked. */
  expiresAtMs: number
}

/** Wire form of {@link Voucher}. */
export const voucherCodec: Codec<Voucher> = codec(Generated, {
  name: 'voucher',
  bytesMax: RECORD_BYTES_MAX,
  toWire: (value) => ({
    ...value,
    requestId: view(value.requestId),
    ceilingNanoUsd: value.ceilingNanoUsd.toString(),
  }),
  fromWire: (raw) => ({
    holdId: text(raw.holdId, 'holdId', SHORT_TEXT_LENGTH_MAX),
    requestId: bytesOf(raw.requestId, 'requestId', REQUEST_ID_BYTES),
    gateway: text(raw.gateway, 'gateway', PEER_ID_LENGTH_MAX),
    model: text(raw.model, 'model', MODEL_ID_LENGTH_MAX),
    priceVersion: count(raw.priceVersion, 'priceVersion', 0xffff_ffff),
    ceilingNanoUsd: amount(raw.ceilingNanoUsd, 'ceilingNanoUsd'),
    promptTokensMax: count(raw.promptTokensMax, 'promptTokensMax', PROMPT_TOKENS_MAX),
    maxTokens: count(raw.maxTokens, 'maxTokens', MAX_TOKENS_MAX, 1),
    expiresAtMs: timeMs(raw.expiresAtMs, 'expiresAtMs'),
  }),
})

/** Signs a voucher with the ledger's key. */
export function issueVoucher(ledger: Signer, voucher: Voucher): Uint8Array {
  return seal(ledger, 'lexora-voucher', voucherCodec.encode(voucher))
}

/**
 * Reads and checks a voucher as a provider does: signed by the pinned ledger, in force, for this gateway.
 * Throws `voucher_invalid`, whatever was wrong with it: to the gateway there is one thing to do.
 */
export function checkVoucher(
  bytes: Uint8Array,
  check: { ledgerPeerId: string; nowMs: number; gateway: string },
): Voucher {
  const { voucher, signedBy } = read(bytes)
  const fault =
    signedBy !== check.ledgerPeerId
      ? 'was not signed by this network’s ledger'
      : voucher.gateway !== check.gateway
        ? 'belongs to another gateway'
        : check.nowMs > voucher.expiresAtMs + CLOCK_SKEW_MS
          ? 'has expired'
          : voucher.expiresAtMs > check.nowMs + VOUCHER_LIFETIME_MS + CLOCK_SKEW_MS
            ? 'lives longer than vouchers may'
            : undefined
  if (fault !== undefined) throw new LexoraError('voucher_invalid', `the voucher ${fault}`)
  return voucher
}

function read(bytes: Uint8Array): { voucher: Voucher; signedBy: string } {
  try {
    const { payload, signedBy } = open('lexora-voucher', bytes)
    return { voucher: voucherCodec.decode(payload), signedBy }
  } catch (cause) {
    throw new LexoraError('voucher_invalid', 'the voucher cannot be read', { cause })
  }
}
