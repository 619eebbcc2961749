import { type ErrorCode, errorCodeOf, LexoraError, type ModelOffer } from '@lexora/protocol'
import type { AttemptResult } from './attempt.ts'
import { type Blame, blameOf } from './blame.ts'
import type { PreparedRequest } from './request.ts'

/**
 * A provider that says that the prompt is too long is believed only where that can be: its word ends the request, and
 * it would turn every client away. The prompt has at most as many tokens as the hold is for.
 */
export function withoutExcuse(
  result: AttemptResult,
  { promptTokensMax }: PreparedRequest,
  { contextTokens }: ModelOffer,
): AttemptResult {
  const isExcuse =
    result.error?.code === 'context_length_exceeded' && promptTokensMax < contextTokens
  if (!isExcuse) return result
  const error = new LexoraError('provider_fault', 'the provider refused a prompt that fits')
  return { ...result, error }
}

/**
 * Why an attempt gave the client nothing, if so: then another provider may be asked. An answer that the client gets
 * whole is delivered at its end and not before, so a part of one is lost like a refusal, and nobody pays for it.
 */
export function undelivered(
  { terminal, error, usage }: AttemptResult,
  { stream }: { stream: boolean },
): LexoraError | undefined {
  if (terminal !== undefined && terminal.finishReason !== 'failed') return undefined
  if (usage.completionTokens > 0) return stream ? undefined : brokenOff(error)
  return error ?? new LexoraError('internal', 'an attempt ended without a reason')
}

/** Whose doing a failed attempt was. A refusal after the first token is none: then the provider broke its word. */
export function blameFor({ error, usage }: AttemptResult): Blame {
  return error === undefined || usage.completionTokens > 0 ? 'provider' : blameOf(error.code)
}

/** Ways in which a provider is gone; every other end without a believed terminal frame is its fault. */
const LOST: ReadonlySet<ErrorCode> = new Set(['session_closed', 'timeout', 'cancelled'])

/** What the client is told of an answer that has no believed end. */
export function brokenOff(cause: LexoraError | undefined): LexoraError {
  return LOST.has(errorCodeOf(cause))
    ? new LexoraError('provider_lost', 'the provider was lost in the middle of the answer', {
        cause,
      })
    : new LexoraError('provider_fault', 'the provider broke off in the middle of the answer', {
        cause,
      })
}
