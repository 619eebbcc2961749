import type { ChatRequest, FinishReason, ModelPrice, NanoUsd, Usage } from '@lexora/protocol'

/** One chat request, checked against the OpenAI schema, as it leaves the HTTP edge. */
export interface ChatCall {
  /** The id that the client reads in `x-request-id`. */
  requestId: string
  /** SHA-256 of the bearer token: the token itself never leaves the edge. */
  apiKeyHash: Uint8Array
  request: ChatRequest
  /** Whether the client reads tokens as they come. */
  stream: boolean
}

/**
 * What happens to a call, in this order: `accepted` once, `tokens` any number of times, `finished` once and last.
 * Retries on another provider stay inside the backend; a second `accepted` replaces the first and all that followed it.
 * In a call that streams none comes after the first `tokens`.
 */
export type ChatEvent =
  | { kind: 'accepted'; promptTokens: number; provider: string }
  | { kind: 'tokens'; ids: number[]; text: string }
  | { kind: 'finished'; reason: FinishReason; usage: Usage; costNanoUsd?: NanoUsd }

/** A model that some provider of the mesh serves now. */
export interface ModelListing {
  id: string
  /** Unix time in ms when this gateway first saw the model. */
  createdAtMs: number
  /** Prompt and answer together, in tokens. */
  contextTokens: number
  /** As the model file says, e.g. `Q8_0`. */
  quantisation: string
  /** How many providers serve it now. */
  providers: number
  /** Absent while the price list does not name the model. */
  price?: ModelPrice
}

/** What a key's owner may know about it. */
export interface KeyStatus {
  label: string
  accountRef: string
  balance: {
    promo: NanoUsd
    paid: NanoUsd
    /** Reserved by requests that run now. */
    held: NanoUsd
    /** What a new request may still reserve. */
    available: NanoUsd
  }
  /** All that the account has paid for requests so far. */
  spent?: NanoUsd
}

/** Whether this gateway may receive traffic, and what it looked at. */
export interface Readiness {
  ready: boolean
  checks: { name: string; ok: boolean; detail?: string }[]
}

/**
 * What the HTTP edge needs from the rest of the gateway. Everything it throws is a `LexoraError`; anything else is
 * answered as a plain 500. These facts of an error reach the client: `param` (path of the guilty field),
 * `retryAfterMs`, `promptTokens` and `contextTokens` (with `context_length_exceeded`).
 */
export interface GatewayBackend {
  /**
   * Runs one chat request. It must stop soon after `signal` aborts: the client is gone, and whatever comes after is
   * dropped. The edge answers at `finished` but reads to the end, so settling may follow it.
   */
  chat(call: ChatCall, signal: AbortSignal): AsyncIterable<ChatEvent>
  models(): readonly ModelListing[]
  /** Throws `invalid_api_key`, `api_key_revoked`, `api_key_expired`, `account_suspended` or `ledger_unavailable`. */
  key(apiKeyHash: Uint8Array): Promise<KeyStatus>
  ready(): Readiness
}
