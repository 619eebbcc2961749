/**
 * What a provider node keeps, waits for and repeats. Limits of the language are in `@lexora/protocol`, limits of a
 * session and a host in its mesh. Times are milliseconds.
 */

/** How long an engine has to end an answer after an abort before its slot is taken back (design: 100 ms is promised). */
export const ENGINE_STOP_GRACE_MS: number = 1_000

/**
 * Vouchers remembered so that none is served twice. One is remembered for at most 3 minutes, so this is 360 requests a
 * second for minutes on end: more than any machine's engines answer.
 */
export const VOUCHERS_REMEMBERED_MAX: number = 65_536

/** Least output tokens of an answer whose speed counts: shorter ones measure the clock. */
export const SPEED_SAMPLE_TOKENS_MIN: number = 8
/** Weight of the newest answer in the moving average of decode speed: the last ten answers make nine tenths of it. */
export const SPEED_SAMPLE_WEIGHT: number = 0.2

/** Least time between two load notices: a burst of requests makes ten notices a second, not thousands. */
export const LOAD_DEBOUNCE_MS: number = 100
/** Least time between two load announcements by gossip (design: Mesh). */
export const LOAD_GOSSIP_INTERVAL_MIN_MS: number = 15_000
/** Gossip slows down with the network: one announcement per provider in (peers / this) seconds. */
export const LOAD_GOSSIP_PEERS_PER_SECOND: number = 50
/** The first announcement is repeated once after this, when gossip has learned who listens. */
export const LOAD_GOSSIP_REPEAT_MS: number = 2_000

/** How often gateways are looked up in the DHT: growing to a second until the first session, and seldom from then on. */
export const GATEWAY_SEARCH_FIRST_MS: number = 250
export const GATEWAY_SEARCH_FIRST_MAX_MS: number = 1_000
export const GATEWAY_SEARCH_MS: number = 30_000
/** How long one lookup may take, and how many gateways it may bring. */
export const GATEWAY_SEARCH_TIMEOUT_MS: number = 10_000
export const GATEWAY_SEARCH_RESULTS_MAX: number = 64
/** Most gateways that a provider keeps a session with: one session costs about 60 KiB. */
export const GATEWAYS_MAX: number = 256
/** Dials at once: a handshake costs 5 ms of CPU on a machine that should be inferring. */
export const GATEWAY_DIALS_MAX: number = 8
/** How long one dial with its hellos may take. */
export const GATEWAY_DIAL_TIMEOUT_MS: number = 10_000
/** Waits between dials of one gateway. */
export const GATEWAY_REDIAL_MIN_MS: number = 500
export const GATEWAY_REDIAL_MAX_MS: number = 30_000
/** A gateway that failed this many dials in a row is forgotten until somebody names it again: about four minutes. */
export const GATEWAY_DIAL_FAILURES_MAX: number = 12
/** Peers whose announcements are remembered by sequence number; beyond it the longest unheard is forgotten. */
export const ANNOUNCERS_MAX: number = 4_096
/** Revoked serials remembered: they die with the certificates within the hour. */
export const REVOKED_SERIALS_MAX: number = 16_384

/** Receipts kept until the ledger has settled them: about 150 MB of disk, days of a busy provider. */
export const OUTBOX_RECEIPTS_MAX: number = 100_000
/** Receipts kept aside that the ledger does not accept, for the operator to look at. */
export const OUTBOX_ASIDE_MAX: number = 1_000
/** A gateway settles within a second; a receipt older than this is claimed. */
export const CLAIM_AFTER_MS: number = 10_000
/** How often the outbox is looked through, and how seldom while the ledger cannot be asked. */
export const CLAIM_ROUND_MS: number = 1_000
export const CLAIM_ROUND_MAX_MS: number = 60_000
/** Claims in one round, and at once: the ledger serves others too. */
export const CLAIMS_PER_ROUND_MAX: number = 64
export const CLAIMS_AT_ONCE_MAX: number = 8
/** Waits between claims of one receipt: a hold's lease is a minute, so the first is below and the last far above it. */
export const CLAIM_RETRY_MIN_MS: number = 15_000
export const CLAIM_RETRY_MAX_MS: number = 10 * 60_000

/** How long a stopping node waits for running answers: beyond any chat answer that a client still reads. */
export const DRAIN_TIMEOUT_MS: number = 60_000
/** How long answers have to end once their engines or sessions are gone: the engine's grace and one write to disk. */
export const STOP_TIMEOUT_MS: number = 2_000
