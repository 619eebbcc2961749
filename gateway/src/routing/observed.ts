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
  prefillTokensPerSecond(claimed: number): number
  decodeTokensPerSecond(claimed: number): number
  readonly restUntilMs: number
}

/** Makes an empty observation. */
export function observed(): Observed {
  let prefill: number | undefined
  let decode: number | undefined
  let failures = 0
  let restUntilMs = 0

  return {
    answered({ promptTokens, outputTokens, firstTokenMs, totalMs }) {
      failures = 0
      restUntilMs = 0
      prefill = average(prefill, (promptTokens * 1_000) / Math.max(1, firstTokenMs))
      if (outputTokens > 1)
        decode = average(decode, ((outputTokens - 1) * 1_000) / Math.max(1, totalMs - firstTokenMs))
    },
    failed(nowMs) {
      restUntilMs = nowMs + Math.min(REST_MAX_MS, REST_MIN_MS * 2 ** Math.min(failures, 16))
      failures++
    },
    prefillTokensPerSecond: (claimed) => prefill ?? Math.min(claimed, CLAIM_MAX),
    decodeTokensPerSecond: (claimed) => decode ?? Math.min(claimed, CLAIM_MAX),
    get restUntilMs() {
      return restUntilMs
    },
  }
}

function average(current: number | undefined, sample: number): number {
  return current === undefined ? sample : current + SAMPLE_WEIGHT * (sample - current)
}
