import { checkCertificate, type MembershipCertificate } from './certificate.ts'
import {
  CAPABILITY_LIFETIME_MS,
  CLOCK_SKEW_MS,
  MODEL_ID_LENGTH_MAX,
  MODELS_PER_PROVIDER_MAX,
  PEER_ID_LENGTH_MAX,
  RECORD_BYTES_MAX,
  SHORT_TEXT_LENGTH_MAX,
} from './constants.ts'
import { open, type Signer, seal } from './envelope.ts'
import { LexoraError } from './errors.ts'
import { addressList, type LoadHeartbeat, loadFromWire } from './load.ts'
import { bytesOf, bytesUpTo, count, list, real, text, timeMs, word } from './wire/check.ts'
import { type Codec, codec, view } from './wire/codec.ts'
import {
  CapabilityRecord as Generated,
  SessionHello as GeneratedHello,
  type ModelOffer as GeneratedOffer,
} from './wire/generated/records.ts'

/** Bytes of a SHA-256. */
export const SHA256_BYTES = 32

/** What a model takes and gives. Images come with the diffusion engine. */
export const MODALITIES = ['text'] as const

/** One model that a provider serves. */
export interface ModelOffer {
  id: string
  family: string
  /** SHA-256 of the model file: "the same model" means the same file. */
  fileSha256: Uint8Array
  quantisation: string
  contextTokens: number
  modality: (typeof MODALITIES)[number]
  slots: number
  /** Measured by the provider at its start, one slot. A claim: gateways believe what they observe. */
  prefillTokensPerSecond: number
  decodeTokensPerSecond: number
  /** 10,000 is the list price. */
  priceMultiplierBasisPoints: number
}

/** What a provider can serve, in its own words and signed by itself. */
export interface CapabilityRecord {
  peerId: string
  /** Rises with every record of this peer; an older one never replaces a newer. */
  sequence: number
  expiresAtMs: number
  certificate: Uint8Array
  models: ModelOffer[]
  addresses: string[]
  software: string
  hardware: string
}

/** First payload of a session, from either end. */
export interface SessionHello {
  certificate: Uint8Array
  /** A sealed {@link CapabilityRecord}, from providers. */
  capability?: Uint8Array
  load?: LoadHeartbeat
  software: string
}

const SLOTS_MAX = 4_096
const CONTEXT_MAX = 16_777_216
const SPEED_MAX = 10_000_000
const MULTIPLIER_MAX = 1_000_000

function offerFromWire(raw: GeneratedOffer): ModelOffer {
  return {
    id: text(raw.id, 'model id', MODEL_ID_LENGTH_MAX),
    family: text(raw.family, 'family', SHORT_TEXT_LENGTH_MAX, 0),
    fileSha256: bytesOf(raw.fileSha256, 'fileSha256', SHA256_BYTES),
    quantisation: text(raw.quantisation, 'quantisation', SHORT_TEXT_LENGTH_MAX, 0),
    contextTokens: count(raw.contextTokens, 'contextTokens', CONTEXT_MAX, 1),
    modality: word(raw.modality, 'modality', MODALITIES),
    slots: count(raw.slots, 'slots', SLOTS_MAX, 1),
    prefillTokensPerSecond: real(
      raw.prefillTokensPerSecond,
      'prefillTokensPerSecond',
      0,
      SPEED_MAX,
    ),
    decodeTokensPerSecond: real(raw.decodeTokensPerSecond, 'decodeTokensPerSecond', 0, SPEED_MAX),
    priceMultiplierBasisPoints: count(
      raw.priceMultiplierBasisPoints,
      'priceMultiplier',
      MULTIPLIER_MAX,
    ),
  }
}

/** Wire form of {@link CapabilityRecord}. */
export const capabilityCodec: Codec<CapabilityRecord> = codec(Generated, {
  name: 'capability record',
  bytesMax: RECORD_BYTES_MAX,
  limits: { models: MODELS_PER_PROVIDER_MAX },
  toWire: (value) => ({
    ...value,
    certificate: view(value.certificate),
    models: value.models.map((model) => ({ ...model, fileSha256: view(model.fileSha256) })),
  }),
  fromWire: (raw) => ({
    peerId: text(raw.peerId, 'peerId', PEER_ID_LENGTH_MAX),
    sequence: count(raw.sequence, 'sequence', Number.MAX_SAFE_INTEGER),
    expiresAtMs: timeMs(raw.expiresAtMs, 'expiresAtMs'),
    certificate: bytesUpTo(raw.certificate, 'certificate', RECORD_BYTES_MAX),
    models: list(raw.models, 'models', MODELS_PER_PROVIDER_MAX).map(offerFromWire),
    addresses: addressList(raw.addresses),
    software: text(raw.software, 'software', SHORT_TEXT_LENGTH_MAX, 0),
    hardware: text(raw.hardware, 'hardware', SHORT_TEXT_LENGTH_MAX, 0),
  }),
})

/** Wire form of {@link SessionHello}. */
export const helloCodec: Codec<SessionHello> = codec(GeneratedHello, {
  name: 'session hello',
  bytesMax: 3 * RECORD_BYTES_MAX,
  limits: { load: { models: MODELS_PER_PROVIDER_MAX } },
  toWire: (value) => ({
    certificate: view(value.certificate),
    software: value.software,
    ...(value.capability === undefined ? {} : { capability: view(value.capability) }),
    ...(value.load === undefined
      ? {}
      : { load: { ...value.load, bootId: view(value.load.bootId) } }),
  }),
  fromWire: (raw) => ({
    certificate: bytesUpTo(raw.certificate, 'certificate', RECORD_BYTES_MAX, 0),
    software: text(raw.software, 'software', SHORT_TEXT_LENGTH_MAX, 0),
    ...(raw.capability.byteLength === 0
      ? {}
      : { capability: bytesUpTo(raw.capability, 'capability', RECORD_BYTES_MAX) }),
    ...(raw.load === undefined ? {} : { load: loadFromWire(raw.load) }),
  }),
})

/** Signs a capability record with the provider's own key. */
export function sealCapability(provider: Signer, record: CapabilityRecord): Uint8Array {
  return seal(provider, 'lexora-capability', capabilityCodec.encode(record))
}

/**
 * Reads and checks a provider's record: signed by the peer that it describes, by a member provider, in force and not
 * for longer than records may be. Throws `malformed`, `signature_invalid`, `expired` or `not_a_member`.
 */
export function checkCapability(
  bytes: Uint8Array,
  check: { ledgerPeerId: string; nowMs: number; peerId: string },
): { record: CapabilityRecord; certificate: MembershipCertificate } {
  const { payload, signedBy } = open('lexora-capability', bytes)
  const record = capabilityCodec.decode(payload)
  if (signedBy !== record.peerId || record.peerId !== check.peerId) {
    throw new LexoraError(
      'signature_invalid',
      'a capability record must be signed by the peer that it describes',
    )
  }
  if (record.expiresAtMs < check.nowMs - CLOCK_SKEW_MS) {
    throw new LexoraError('expired', 'the capability record has expired')
  }
  if (record.expiresAtMs > check.nowMs + CAPABILITY_LIFETIME_MS + CLOCK_SKEW_MS) {
    throw new LexoraError('malformed', 'the capability record lives longer than records may')
  }
  const certificate = checkCertificate(record.certificate, { ...check, role: 'provider' })
  return { record, certificate }
}
