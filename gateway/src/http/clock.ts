/** Time, as the HTTP edge needs it. Tests give their own. */
export interface Clock {
  /** Unix time in ms. */
  now(): number
  /** Runs `task` once after `ms`; the returned function calls it off and may be called at any time. */
  after(ms: number, task: () => void): () => void
}

/** The machine's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
