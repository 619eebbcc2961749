import { LOAD_INTERVAL_MS } from '@lexora/protocol'
import { LOAD_DEBOUNCE_MS } from '../constants.ts'
import type { Slots } from './slots.ts'

/** What the feed watches and whom it tells. */
export interface LoadFeedComponents {
  slots: Slots
  /** Sends the present load to every connected gateway. */
  push: () => void
}

/** Times of the feed, in ms. */
export interface LoadFeedOptions {
  /** Least time between two pushes. Default {@link LOAD_DEBOUNCE_MS}. */
  debounceMs?: number
  /** Time after which the load is pushed even unchanged. Default {@link LOAD_INTERVAL_MS}. */
  intervalMs?: number
}

/** Pushes load while it runs. */
export interface LoadFeed {
  start(): void
  stop(): void
}

/**
 * Pushes the load at once when it changes after a quiet time, then at most once per debounce, and at each interval.
 * A gateway thus learns of the first request at once, of a burst soon, and never hears a thousand notices.
 */
export function createLoadFeed(
  components: LoadFeedComponents,
  options: LoadFeedOptions = {},
): LoadFeed {
  const debounceMs = options.debounceMs ?? LOAD_DEBOUNCE_MS
  const intervalMs = options.intervalMs ?? LOAD_INTERVAL_MS
  let timer: NodeJS.Timeout | undefined
  let pushedAtMs = Number.NEGATIVE_INFINITY
  let waiting = false
  let unsubscribe: (() => void) | undefined

  function push(): void {
    pushedAtMs = performance.now()
    waiting = false
    components.push()
    schedule(intervalMs)
  }

  function schedule(delayMs: number): void {
    clearTimeout(timer)
    timer = setTimeout(push, delayMs)
    timer.unref()
  }

  return {
    start() {
      unsubscribe ??= components.slots.onChange(() => {
        if (waiting) return
        waiting = true
        schedule(Math.max(0, pushedAtMs + debounceMs - performance.now()))
      })
      schedule(intervalMs)
    },
    stop() {
      unsubscribe?.()
      unsubscribe = undefined
      clearTimeout(timer)
    },
  }
}
