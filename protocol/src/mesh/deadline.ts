/** A limit on a wait. */
export interface Deadline {
  /** Aborts when the time is over or one of the given signals aborts. */
  readonly signal: AbortSignal
  /** Whether it was the time. */
  readonly expired: boolean
  /** Must be called when the wait is over. */
  clear(): void
}

/**
 * Starts a deadline. Not AbortSignal.any() of AbortSignal.timeout(): on Node 20 their links to a long-lived signal
 * stay until garbage is collected, and go by clear() here.
 */
export function startDeadline(
  delayMs: number,
  signals: readonly (AbortSignal | undefined)[],
): Deadline {
  const controller = new AbortController()
  let expired = false
  const abort = (): void => {
    controller.abort()
  }
  const timer = setTimeout(() => {
    expired = true
    abort()
  }, delayMs)
  for (const signal of signals) {
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })
  }
  return {
    signal: controller.signal,
    get expired(): boolean {
      return expired
    },
    clear: () => {
      clearTimeout(timer)
      for (const signal of signals) signal?.removeEventListener('abort', abort)
    },
  }
}
