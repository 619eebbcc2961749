/** Bounds of a retry delay, in ms. */
export interface BackoffOptions {
  minMs: number
  maxMs: number
}

/** Growing retry delays. */
export interface Backoff {
  /** The next delay in ms: doubled each time up to the bound, with jitter of half of it so that peers spread out. */
  nextMs(): number
  /** After a success the next delay is the least again. */
  reset(): void
}

/** Makes a backoff. Jitter is its only randomness and decides nothing but time. */
export function backoff(options: BackoffOptions): Backoff {
  let delayMs = options.minMs
  return {
    nextMs() {
      const current = delayMs
      delayMs = Math.min(options.maxMs, delayMs * 2)
      return current / 2 + (Math.random() * current) / 2
    },
    reset() {
      delayMs = options.minMs
    },
  }
}
