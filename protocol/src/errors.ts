/**
 * Every code that crosses a wire or a package border. Each is one thing that went wrong, in the terms of whoever
 * must act. A code that a peer sends and that is not in this list is read as `malformed`.
 */
export const ERROR_CODES = [
  // the caller's request
  'invalid_request',
  'unsupported_parameter',
  'model_not_found',
  'context_length_exceeded',
  'request_too_large',
  // who may ask
  'invalid_api_key',
  'api_key_revoked',
  'api_key_expired',
  'account_suspended',
  'not_a_member',
  'forbidden',
  'model_not_allowed',
  'enrolment_refused',
  // money
  'insufficient_credit',
  'credit_reserved',
  'key_limit_reached',
  'voucher_invalid',
  'hold_not_found',
  'hold_closed',
  'receipt_invalid',
  // capacity
  'no_provider',
  'provider_busy',
  'provider_draining',
  'rate_limited',
  // something broke
  'provider_lost',
  'provider_fault',
  'ledger_unavailable',
  'storage_full',
  'timeout',
  'cancelled',
  // the wire
  'malformed',
  'frame_too_large',
  'unsupported_version',
  'signature_invalid',
  'expired',
  'session_closed',
  'unknown_method',
  // bookkeeping
  'not_found',
  'conflict',
  'internal',
] as const

/** A code from {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number]

const KNOWN: ReadonlySet<string> = new Set(ERROR_CODES)

/** Whether text names a code that this build knows. */
export function isErrorCode(text: string): text is ErrorCode {
  return KNOWN.has(text)
}

/** Plain facts beside a code, for messages and for the other side: counts, limits, ids. Never prompts, outputs or keys. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean>>

/** The one error class of Lexora. `message` is written for the person who must act and never carries a peer's own text. */
export class LexoraError extends Error {
  readonly code: ErrorCode
  readonly facts: ErrorFacts

  constructor(
    code: ErrorCode,
    message: string,
    options: { facts?: ErrorFacts; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'LexoraError'
    this.code = code
    this.facts = options.facts ?? {}
  }
}

/** The code of any thrown thing: its own where it is a LexoraError, `internal` otherwise. */
export function errorCodeOf(error: unknown): ErrorCode {
  return error instanceof LexoraError ? error.code : 'internal'
}

/** Crashes on what cannot happen. The message says which promise was broken. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`)
}
