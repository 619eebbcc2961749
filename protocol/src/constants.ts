/** Most bytes of one signed record. A capability record of 32 models is about 4 KiB; gossip must stay cheap to relay. */
export const RECORD_BYTES_MAX: number = 16 * 1024

/** Most models that one provider may offer: more than any machine keeps loaded, few enough to check at once. */
export const MODELS_PER_PROVIDER_MAX: number = 32

/** Most addresses in one record; a host rarely has more than four and each costs a dial attempt. */
export const ADDRESSES_MAX: number = 16

/** Longest model id, e.g. `hf:owner/repo:quant`. */
export const MODEL_ID_LENGTH_MAX: number = 128

/** Longest name, label or other short text in a record. */
export const SHORT_TEXT_LENGTH_MAX: number = 128

/** Longest textual peer id. An Ed25519 one is 52 characters; the rest is room for other key kinds. */
export const PEER_ID_LENGTH_MAX: number = 64

/** Longest textual multiaddress. */
export const ADDRESS_LENGTH_MAX: number = 256

/** Most bytes of one inference request: the gateway's body limit of 1 MiB with room for the voucher. */
export const INFER_REQUEST_BYTES_MAX: number = 1_200 * 1024

/** Frames of a serving session must hold a whole inference request with its method and head; both ends set it. */
export const SERVE_FRAME_BYTES_MAX: number = INFER_REQUEST_BYTES_MAX + 1024

/** Most messages in one conversation. */
export const MESSAGES_MAX: number = 2_048

/** Most stop texts (OpenAI's limit) and the longest of them in characters. */
export const STOP_TEXTS_MAX: number = 4
export const STOP_TEXT_LENGTH_MAX: number = 256

/** Most output tokens that can be asked for at all; a model's context bounds it further. */
export const MAX_TOKENS_MAX: number = 1_000_000

/** Most bytes of one token or terminal frame: a frame carries what one event-loop turn produced. */
export const TOKENS_BYTES_MAX: number = 64 * 1024
export const TOKEN_IDS_PER_FRAME_MAX: number = 4_096

/** Most bytes of one ledger message. */
export const LEDGER_MESSAGE_BYTES_MAX: number = 64 * 1024

/** Most holds that one renewal may name. */
export const HOLDS_PER_RENEWAL_MAX: number = 1_024

/** A certificate lives one hour, so that a revoked peer is gone by then even where no revocation reached (design: Identity). */
export const CERTIFICATE_LIFETIME_MS: number = 60 * 60_000

/** Peers renew once this share of the lifetime is left. */
export const CERTIFICATE_RENEW_BEFORE_MS: number = 30 * 60_000

/** Capability records live at most ten minutes and are renewed at half that (design: Mesh). */
export const CAPABILITY_LIFETIME_MS: number = 10 * 60_000

/** How far two honest clocks may differ. NTP keeps hosts within a second; a laptop after sleep needs some more. */
export const CLOCK_SKEW_MS: number = 30_000

/** A voucher must reach a provider within this time of being signed; the hold behind it lives on by its lease. */
export const VOUCHER_LIFETIME_MS: number = 2 * 60_000

/** A load heartbeat older than this says nothing any more: three missed full states of 10 s each. */
export const LOAD_LIFETIME_MS: number = 30_000

/** Full load state is sent this often even where nothing changed. */
export const LOAD_INTERVAL_MS: number = 10_000

/** Load gossip is spread over this many topics by model, so that a gateway may follow only the models it sells. */
export const LOAD_TOPIC_SHARDS: number = 8

/** Tokens that a chat template may add to the text: markers and role names per message, and once per prompt. */
export const TEMPLATE_TOKENS_PER_MESSAGE: number = 16
export const TEMPLATE_TOKENS_PER_PROMPT: number = 64

/** libp2p protocol names. The version in them changes when a frame's meaning does. */
export const SERVE_PROTOCOL = '/lexora/serve/1.0.0'
export const LEDGER_PROTOCOL = '/lexora/ledger/1.0.0'

/** DHT rendezvous key for gateways; providers look it up to dial out. */
export const GATEWAY_RENDEZVOUS = 'role:gateway'

/** Gossip topic on which gateways say where they can be dialled. */
export const GATEWAY_TOPIC = '/lexora/gateways/1'
