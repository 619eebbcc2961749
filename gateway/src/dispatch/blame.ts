import type { ErrorCode } from '@lexora/protocol'

/** What a failed attempt before the first token means. */
export type Blame =
  /** The request itself is at fault: every provider would say the same, and the client is told. */
  | 'client'
  /** The provider is full, draining or no longer has the model: another is asked, and nobody is blamed. */
  | 'capacity'
  /** The provider failed: another is asked, and this one rests. */
  | 'provider'

const CLIENT: ReadonlySet<ErrorCode> = new Set([
  'context_length_exceeded',
  'invalid_request',
  'unsupported_parameter',
  'request_too_large',
])

const CAPACITY: ReadonlySet<ErrorCode> = new Set([
  'provider_busy',
  'provider_draining',
  'model_not_found',
  'rate_limited',
])

/** Reads the blame out of the code of a failed attempt. */
export function blameOf(code: ErrorCode): Blame {
  if (CLIENT.has(code)) return 'client'
  return CAPACITY.has(code) ? 'capacity' : 'provider'
}
