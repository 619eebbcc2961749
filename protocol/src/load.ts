import {
  ADDRESS_LENGTH_MAX,
  ADDRESSES_MAX,
  LOAD_TOPIC_SHARDS,
  MODEL_ID_LENGTH_MAX,
  MODELS_PER_PROVIDER_MAX,
  PEER_ID_LENGTH_MAX,
  RECORD_BYTES_MAX,
} from './constants.ts'
import { bytesOf, bytesUpTo, count, list, present, real, text, timeMs } from './wire/check.ts'
import { type Codec, codec, view } from './wire/codec.ts'
import {
  LoadAnnouncement as GeneratedAnnouncement,
  GatewayAnnouncement as GeneratedGateway,
  LoadHeartbeat as GeneratedLoad,
} from './wire/generated/records.ts'

/** Bytes of a boot id: random per process start, so that a restarted peer's sequence may begin again. */
export const BOOT_ID_BYTES = 8

/** What one model on one provider is doing now. */
export interface ModelLoad {
  model: string
  slotsBusy: number
  slots: number
  queueLength: number
  /** Moving average over recent answers, tokens/s of one slot; 0 where nothing was measured yet. */
  decodeTokensPerSecond: number
}

/** A provider's load: a hint. The gateway's own debits and the provider's accept or reject decide. */
export interface LoadHeartbeat {
  peerId: string
  bootId: Uint8Array
  sequence: number
  sentAtMs: number
  /** A draining provider finishes what runs and takes nothing new. */
  draining: boolean
  models: ModelLoad[]
}

/** Gossip for gateways without a session to the provider. The certificate shows that the peer is a provider at all. */
export interface LoadAnnouncement {
  certificate: Uint8Array
  load: LoadHeartbeat
}

/** Gossip by which a gateway says where it can be dialled. */
export interface GatewayAnnouncement {
  certificate: Uint8Array
  sequence: number
  sentAtMs: number
  addresses: string[]
}

const SLOTS_MAX = 4_096
const QUEUE_MAX = 1_000_000
const SPEED_MAX = 10_000_000

/** Checks a parsed heartbeat; also for messages that carry one inside. */
export function loadFromWire(raw: GeneratedLoad): LoadHeartbeat {
  return {
    peerId: text(raw.peerId, 'peerId', PEER_ID_LENGTH_MAX),
    bootId: bytesOf(raw.bootId, 'bootId', BOOT_ID_BYTES),
    sequence: count(raw.sequence, 'sequence', Number.MAX_SAFE_INTEGER),
    sentAtMs: timeMs(raw.sentAtMs, 'sentAtMs'),
    draining: raw.draining,
    models: list(raw.models, 'models', MODELS_PER_PROVIDER_MAX).map((model) => ({
      model: text(model.model, 'model', MODEL_ID_LENGTH_MAX),
      slotsBusy: count(model.slotsBusy, 'slotsBusy', SLOTS_MAX),
      slots: count(model.slots, 'slots', SLOTS_MAX),
      queueLength: count(model.queueLength, 'queueLength', QUEUE_MAX),
      decodeTokensPerSecond: real(
        model.decodeTokensPerSecond,
        'decodeTokensPerSecond',
        0,
        SPEED_MAX,
      ),
    })),
  }
}

function loadToWire(value: LoadHeartbeat): GeneratedLoad {
  return { ...value, bootId: view(value.bootId) }
}

/** Wire form of {@link LoadHeartbeat}: pushed on sessions. */
export const loadCodec: Codec<LoadHeartbeat> = codec(GeneratedLoad, {
  name: 'load heartbeat',
  bytesMax: RECORD_BYTES_MAX,
  limits: { models: MODELS_PER_PROVIDER_MAX },
  toWire: loadToWire,
  fromWire: loadFromWire,
})

/** Wire form of {@link LoadAnnouncement}: published on load topics. */
export const loadAnnouncementCodec: Codec<LoadAnnouncement> = codec(GeneratedAnnouncement, {
  name: 'load announcement',
  bytesMax: RECORD_BYTES_MAX,
  limits: { load: { models: MODELS_PER_PROVIDER_MAX } },
  toWire: (value) => ({ certificate: view(value.certificate), load: loadToWire(value.load) }),
  fromWire: (raw) => ({
    certificate: bytesUpTo(raw.certificate, 'certificate', RECORD_BYTES_MAX),
    load: loadFromWire(present(raw.load, 'load')),
  }),
})

/** Wire form of {@link GatewayAnnouncement}. */
export const gatewayAnnouncementCodec: Codec<GatewayAnnouncement> = codec(GeneratedGateway, {
  name: 'gateway announcement',
  bytesMax: RECORD_BYTES_MAX,
  toWire: (value) => ({ ...value, certificate: view(value.certificate) }),
  fromWire: (raw) => ({
    certificate: bytesUpTo(raw.certificate, 'certificate', RECORD_BYTES_MAX),
    sequence: count(raw.sequence, 'sequence', Number.MAX_SAFE_INTEGER),
    sentAtMs: timeMs(raw.sentAtMs, 'sentAtMs'),
    addresses: addressList(raw.addresses),
  }),
})

/** Textual multiaddresses of one peer, bounded; whether each parses is the dialler's question. */
export function addressList(addresses: string[]): string[] {
  return list(addresses, 'addresses', ADDRESSES_MAX).map((address) =>
    text(address, 'address', ADDRESS_LENGTH_MAX),
  )
}

/** DHT rendezvous key for the providers of a model. */
export function modelRendezvous(model: string): string {
  return `model:${model}`
}

/** Every gossip topic that carries load. */
export const LOAD_TOPICS: readonly string[] = Array.from(
  { length: LOAD_TOPIC_SHARDS },
  (_, shard) => `/lexora/load/1/${shard}`,
)

/** The load topic of a model: FNV-1a over its UTF-16 units (Fowler, Noll, Vo; 32 bits), modulo the shards. */
export function loadTopic(model: string): string {
  let hash = 0x811c9dc5
  for (let index = 0; index < model.length; index++) {
    hash = Math.imul(hash ^ model.charCodeAt(index), 0x01000193)
  }
  return `/lexora/load/1/${(hash >>> 0) % LOAD_TOPIC_SHARDS}`
}
