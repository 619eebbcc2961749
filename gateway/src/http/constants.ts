/**
 * Largest request body. Four times the text of a full 128k-token context at about two bytes a token; every
 * connection may make us hold this much, so it is not more.
 */
export const BODY_BYTES_MAX: number = 1024 * 1024

/** Most output tokens when a request names none: a few paragraphs, so that the hold stays small (design §5.1). */
export const OUTPUT_TOKENS_DEFAULT = 512

/** Largest `max_tokens` that is taken: clients that want no limit send the largest 32-bit number. */
export const OUTPUT_TOKENS_MAX: number = 2 ** 31 - 1

/** Most text parts in one message; one per message of the longest conversation is plenty. */
export const CONTENT_PARTS_MAX = 2048

/** Longest `name` of a participant: OpenAI's own bound. */
export const PARTICIPANT_NAME_CHARS_MAX = 64

/**
 * How long the head of a stream waits for the first token after a provider accepted. Until then a failure is a plain
 * HTTP error with a status; after it, proxies that cut silent connections (60 s is common) must see bytes.
 */
export const HEAD_HOLD_MS = 10_000

/** Silence after which a stream sends a comment line: a quarter of the shortest idle cut that is common, 60 s. */
export const PING_MS = 15_000

/** How long a client may take no byte while some wait for it. Longer than any hiccup of a phone's network. */
export const STALL_MS = 30_000

/**
 * How long a broken stream stays open after its error event. Readers lose what they have not yet read when the
 * connection breaks, so they get this long to read it.
 */
export const LINGER_MS = 1_000

/** Bytes that may wait for a slow reader, about 5,000 chunks. Beyond it the client is cut. */
export const STREAM_BUFFER_BYTES_MAX: number = 1024 * 1024

/** Chat requests at once. With a body and a stream buffer each of 1 MiB, 2 GiB at the very worst. */
export const CHATS_IN_FLIGHT_MAX = 1024

/** Open connections; more are dropped by the kernel's side of Node. Four times the chats, as clients keep idle ones. */
export const CONNECTIONS_MAX = 4096

/** Time to send a whole request. A 1 MiB body at 35 kB/s takes 30 s; slower senders only hold memory. */
export const REQUEST_RECEIVE_MS = 30_000

/** Idle time of a kept connection: longer than the 60 s of common proxies, so that they close first. */
export const KEEP_ALIVE_MS = 72_000
