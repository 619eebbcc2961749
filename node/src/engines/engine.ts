import type { ChatRequest, FinishReason, Usage } from '@lexora/protocol'

/** A model as an engine serves it: what the capability record says of it, all but the price. */
export interface EngineModel {
  id: string
  /** Architecture, e.g. `llama`. */
  family: string
  /** SHA-256 of the model file in lower-case hex: the same model is the same file. */
  fileSha256: string
  /** E.g. `Q8_0`. */
  quantisation: string
  /** Most tokens of prompt and answer together in one slot. */
  contextTokens: number
  modality: 'text'
  /** Chats that run at the same time. */
  slots: number
  /** Measured at start, one slot alone. */
  prefillTokensPerSecond: number
  /** Measured at start, one slot alone. */
  decodeTokensPerSecond: number
}

/** The request fits and has a slot; nothing has been computed yet. */
export interface AcceptedEvent {
  kind: 'accepted'
  promptTokens: number
  /** Prompt tokens whose work the slot still holds from an earlier request. */
  cachedTokens: number
}

/** One or more output tokens with exactly the text that they add. */
export interface TokensEvent {
  kind: 'tokens'
  ids: number[]
  /** Whole characters. Empty only for tokens without text and where a stop text was cut off. */
  text: string
}

/** How long the parts of an answer took, in milliseconds of the engine's own clock. */
export interface EngineTimings {
  /** From the call to `accepted`. */
  queueMs: number
  /** From `accepted` to the first token. */
  prefillMs: number
  /** From the first token to the end. */
  decodeMs: number
}

/** The end. `usage.completionTokens` is the sum of the `ids` that were handed out before. */
export interface FinishedEvent {
  kind: 'finished'
  reason: FinishReason
  usage: Usage
  timings: EngineTimings
}

/** What a chat yields: one `accepted`, any number of `tokens`, one `finished`. */
export type EngineEvent = AcceptedEvent | TokensEvent | FinishedEvent

/** One chat in progress. It may be read once; `return()` gives the slot back, even while a `next()` is pending. */
export type EngineStream = AsyncIterableIterator<EngineEvent>

/** How to end a chat from outside. */
export interface ChatOptions {
  /** Ends the chat as `cancelled`, or with the error `cancelled` where it was not accepted yet. */
  signal: AbortSignal
}

/**
 * Something that answers requests with a model. Every engine passes `tests/compliance/engine-suite.ts`; its rules:
 *
 * - Nothing happens before the first `next()`. Refusals are thrown there, before `accepted`, as LexoraError:
 *   `model_not_found`; `provider_busy` when all slots are taken (engines have no queue: admission is the business of
 *   the layer above); `context_length_exceeded` with `promptTokens` and `contextTokens` when the prompt leaves no
 *   room for one token; `invalid_request` when the model's template refuses the conversation; `provider_draining`
 *   when the engine does not run; `cancelled`; `provider_fault`.
 * - After `accepted` nothing is thrown: a fault ends the answer with the reason `failed`.
 * - `cancelled` comes within 100 ms of the abort, whatever the model is doing.
 * - Ids are handed out when their text is complete, so that the events up to any point say the same in ids and in
 *   text. Tokens whose text may still become a stop text, and parts of a character, are held back; at a stop text
 *   the ids that spelled it are handed out and counted (they were computed), its text is not.
 * - The token that ends a turn and other control tokens have no text; the end token is not handed out or counted.
 * - The slot is free again before `finished` is handed out, except after an abort, when it may take one more step.
 * - Temperature 0 always gives the same answer; so does the same seed.
 */
export interface Engine {
  /** Which kind of engine this is, for logs. */
  readonly name: string
  /** Empty before `start()` and after `stop()`. */
  models(): readonly EngineModel[]
  chat(request: ChatRequest, options: ChatOptions): EngineStream
  /** Loads and measures the models. Throws `not_found` for a missing file and `provider_fault` for one that does not load. */
  start(): Promise<void>
  /** Ends running chats as `failed` and gives everything back. May be called twice. */
  stop(): Promise<void>
}
