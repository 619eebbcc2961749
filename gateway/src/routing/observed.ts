/** Weight of a new sample in the moving averages: about the last ten answers count. */
const SAMPLE_WEIGHT = 0.2

/**
 * A claimed speed counts at most this much until we have seen for ourselves, tokens/s: a newcomer is tried, and an
 * absurd claim draws no more work than a fast machine's.
 */
const CLAIM_MAX = 500

/** First rest after a failure and the longest, ms. Each further failure in a row doubles it. */
const REST_MIN_MS = 1_000
const REST_MAX_MS = 60_000

/**
 * How long a provider that refused a request counts as full, whatever its heartbeats say, ms: about one answer at
 * first, doubled by each further refusal in a row. Without it one that calls itself free and refuses everything is
 * asked first by every request.
 */
const FULL_MIN_MS = 250
const FULL_MAX_MS = 5_000

/** Doublings beyond this change nothing, and the power stays a whole number. */
const DOUBLINGS_MAX = 16

/** What this gateway has seen of one model on one provider. */
export interface Observed {
  /** Records a complete answer. Speeds come from what arrived here, never from the provider's word. */
  answered(sample: {
    promptTokens: number
    outputTokens: number
    firstTokenMs: number
    totalMs: number
  }): void
  /** Records a failure that was the provider's: it rests, longer each time in a row. */
  failed(nowMs: number): void
  /** Records a refusal for want of room, which is nobody's fault: it counts as full for a moment. */
  refused(nowMs: number): void
  prefillTokensPerSecond(claimed: number): number
  decodeTokensPerSecond(claimed: number): number
  /** Whether nothing was asked of it yet: its speed is only its own word. */
  readonly isUntried: boolean
  /** Unix ms; 0 where it does not rest. */
  readonly restUntilMs: number
  /** Unix ms; 0 where it did not refuse since its last answer. */
  readonly fullUntilMs: number
}

/** Makes an empty observation. */
export function observed(): Observed {
  return new Observation()
}

class Observation implements Observed {
  isUntried = true
  restUntilMs = 0
  fullUntilMs = 0
  #prefill: number | undefined
  #decode: number | undefined
  #failures = 0
  #refusals = 0

  answered(sample: Parameters<Observed['answered']>[0]): void {
    const { promptTokens, outputTokens, firstTokenMs, totalMs } = sample
    this.isUntried = false
    this.#failures = 0
    this.#refusals = 0
    this.restUntilMs = 0
    this.fullUntilMs = 0
    // An answer without a token shows no speed: its first token never came.
    if (outputTokens === 0) return
    this.#prefill = average(this.#prefill, speed(promptTokens, firstTokenMs))
    if (outputTokens > 1)
      this.#decode = average(this.#decode, speed(outputTokens - 1, totalMs - firstTokenMs))
  }

  failed(nowMs: number): void {
    this.isUntried = false
    this.restUntilMs = nowMs + doubled(REST_MIN_MS, REST_MAX_MS, this.#failures)
    this.#failures++
  }

  refused(nowMs: number): void {
    this.isUntried = false
    this.fullUntilMs = nowMs + doubled(FULL_MIN_MS, FULL_MAX_MS, this.#refusals)
    this.#refusals++
  }

  prefillTokensPerSecond(claimed: number): number {
    return this.#prefill ?? Math.min(claimed, CLAIM_MAX)
  }

  decodeTokensPerSecond(claimed: number): number {
    return this.#decode ?? Math.min(claimed, CLAIM_MAX)
  }
}

function doubled(minMs: number, maxMs: number, times: number): number {
  return Math.min(maxMs, minMs * 2 ** Math.min(times, DOUBLINGS_MAX))
}

function speed(tokens: number, durationMs: number): number {
  return (tokens * 1_000) / Math.max(1, durationMs)
}

/** A sample that is no number changes nothing. */
function average(current: number | undefined, sample: number): number | undefined {
  if (!Number.isFinite(sample)) return current
  return current === undefined ? sample : current + SAMPLE_WEIGHT * (sample - current)
}
