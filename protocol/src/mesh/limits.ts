/**
 * Everything that a peer can make this process keep, wait for or do, on one page. Each number says where it comes
 * from. Sizes are bytes and times are milliseconds.
 */

/** What one session may hold. Every field may be set by the program that opens or serves the session. */
export interface SessionLimits {
  /** Longest frame, counted after its length field. Both ends must agree. */
  readonly frameBytesMax: number
  /** Longest hello payload. A stranger can make us buffer this much before it is known. */
  readonly helloBytesMax: number
  /** Requests of the other end that run here at once; one more is answered `provider_busy`. */
  readonly inboundRequestsMax: number
  /** Requests that this end may have open at once; one more fails with `provider_busy`. */
  readonly outboundRequestsMax: number
  /** Bytes written and not yet taken by the transport; beyond it the session closes. */
  readonly writeBufferBytesMax: number
  /** How long the transport may refuse bytes before the session closes. */
  readonly writeStallMs: number
  /** How long the other end has to send its hello. */
  readonly helloMs: number
}

/** The limits of a session when its program names none. */
export const SESSION_LIMITS: SessionLimits = {
  // Tokens and ledger messages are far below; a protocol with larger requests names its own limit, and larger
  // answers (images) go out as several data frames.
  frameBytesMax: 256 * 1024,
  // A certificate and a capability record together stay below 32 KiB; this leaves room to grow.
  helloBytesMax: 64 * 1024,
  // A provider has tens of slots, and the requests beyond them are refused by the capacity part with a better reason.
  inboundRequestsMax: 256,
  // A gateway asks the ledger for every client at once; a cap all the same, since each costs about 1 KiB.
  outboundRequestsMax: 4096,
  // At 5,000 tokens/s of 100 bytes this is eight seconds of a peer that does not read.
  writeBufferBytesMax: 4 * 1024 * 1024,
  // Two lost TCP segments in a row cost about 3 s; beyond 10 s the client has given up.
  writeStallMs: 10_000,
  // Three round trips on a bad line, with time to spare for a machine that stalls.
  helloMs: 5_000,
}

/** A call whose caller names no idle deadline: longer than a prefill on a slow machine between two progress frames. */
export const CALL_IDLE_MS = 30_000
/** How long a cancelled call waits for the terminal frame of the other end. */
export const CALL_CANCEL_GRACE_MS = 2_000
/** Largest answer of a unary request whose caller names none: one frame. */
export const REQUEST_RESPONSE_BYTES_MAX: number = SESSION_LIMITS.frameBytesMax
/** Longest method name: it travels behind a one-byte length, and none of ours is half as long. */
export const METHOD_BYTES_MAX = 64
/** Longest error text on the wire. */
export const ERROR_MESSAGE_BYTES_MAX = 512
/** Most facts beside an error code. */
export const ERROR_FACTS_MAX = 16
/** Longest text of one fact. */
export const ERROR_FACT_BYTES_MAX = 200
/** How long an ended session waits for the other end to close its half before the stream is reset. */
export const CLOSE_GRACE_MS = 1_000
/** First and largest size of the buffer that collects one turn's frames; larger turns grow it for that turn only. */
export const WRITE_BATCH_BYTES: { readonly first: number; readonly kept: number } = {
  first: 1024,
  kept: 64 * 1024,
}
/** First size of the buffer for a frame that arrives in pieces: memory follows bytes received, not bytes announced. */
export const PARTIAL_FRAME_BYTES = 4096

/** Limits of one mesh host. */
export const HOST_LIMITS = {
  // An idle inbound connection costs 40 KiB of heap (measured), so a full house is about 40 MiB.
  connectionsMax: 1000,
  // libp2p's 5 new connections per second per remote address refuses a household behind one NAT and every mesh on
  // loopback, where all peers share an address.
  inboundConnectionsPerSecondPerAddress: 200,
  // libp2p's 10 is used up by one rack restarting; a handshake costs 5 ms of CPU, so 64 are a third of a second.
  inboundConnectionsPendingMax: 64,
  // libp2p's dial needs 3-4 round trips; a peer that takes longer is not worth routing to.
  dialMs: 8_000,
  // Hints about a peer come from strangers; a real machine has a few interfaces.
  dialAddressesMax: 8,
  // The default is 32 in and 64 out per protocol and connection, and the dialler is not told when it is beyond.
  dhtStreamsMax: 64,
  // One session per protocol and connection is the plan; the others cover a session that is being replaced.
  sessionStreamsMax: 8,
  // All sessions of one host, whoever opened them.
  sessionsMax: 4096,
  // All streams of one connection: sessions, DHT queries, gossip, ping and identify stay far below.
  muxerStreamsMax: 512,
  // libp2p lets a stream's window grow to 16 MiB, beyond its own 4 MiB read buffer: fast streams were reset.
  streamWindowBytesMax: 1_048_576,
  streamReadBufferBytesMax: 4_194_304,
  // The session closes at half of this; libp2p's own default is infinite.
  streamWriteBufferBytesMax: 8_388_608,
  // A dead link is seen after about 5 + 4 s; not less, since a shared machine may stall for seconds.
  pingIntervalMs: 5_000,
  pingTimeoutMinMs: 4_000,
  pingTimeoutMaxMs: 12_000,
  // libp2p drops addresses after 1 h, and a DHT server hides providers without addresses: they would be invisible
  // until the next provide.
  addressAgeMs: 86_400_000,
  peerAgeMs: 172_800_000,
  // A stop that waits for peers waits this long.
  stopMs: 5_000,
} as const

/** Limits of gossip: load summaries of a few hundred bytes. */
export const GOSSIP_LIMITS = {
  messageBytesMax: 16_384,
  // One RPC may carry several messages and control entries.
  rpcBytesMax: 65_536,
  // gossipsub ignores back-pressure; a slow peer's stream is reset at this size instead of growing our memory.
  outboundBufferBytesMax: 1_048_576,
  topicsMax: 64,
  // A peer may list this many topics or control entries in one RPC; the library's default of 5,000 is an attack.
  rpcEntriesMax: 128,
  // Half of the library's mesh: half of the copies, and still delivered 100 % at 50 peers (measured).
  meshDegree: 4,
  meshDegreeLow: 3,
  meshDegreeHigh: 8,
} as const

/** Limits of the DHT's use as a rendezvous. */
export const RENDEZVOUS_LIMITS = {
  keyBytesMax: 256,
  // One query walks at most about 60 peers (200-node mesh, measured 9 s at worst on a busy machine).
  queryMs: 10_000,
  // One node returns its whole list in one message, so a popular key needs a cap here.
  providersMax: 64,
  addressesPerProviderMax: 8,
  // Below the address age of every DHT server, and it bounds how long a dead peer is found.
  reprovideMinMs: 600_000,
  reprovideMaxMs: 1_200_000,
  keysMax: 256,
  // The DHT takes a peer into its table only after a ping of its own.
  rejoinMs: 1_000,
} as const

/** Waits between attempts that repeat for ever. */
export const BACKOFF_LIMITS = {
  // The first attempts are fast, so that a mesh that starts all at once meets within a second or two.
  firstMs: 500,
  maxMs: 30_000,
} as const

/** Bootstrap connections to keep: one is enough to be in the mesh, three survive the loss of two. */
export const BOOTSTRAP_CONNECTIONS = 3
