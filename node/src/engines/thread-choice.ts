/** How much faster more threads must be to be taken. Less is noise, or a core for nothing. */
const GAIN_MIN = 1.3

/** Most milliseconds after which no further count is tried. One try costs at least one token of the model. */
const PROBE_MS_MAX = 1_000

/** What the choice uses. */
export interface ThreadChoiceComponents {
  /** Milliseconds for one token with so many threads. */
  measure(threads: number): Promise<number>
  /** A clock in milliseconds. */
  now(): number
}

/**
 * How many threads compute a token fastest, from 1 to `threadsMax`. Starts with one and doubles while that clearly
 * helps, since too many are far worse than too few: llama.cpp's threads wait for each other by spinning, and with two
 * threads on two busy cores a small model ran 200 to 300 times slower than with one.
 */
export async function chooseThreads(
  { measure, now }: ThreadChoiceComponents,
  { threadsMax }: { threadsMax: number },
): Promise<number> {
  const startedAt = now()
  let best = 1
  if (threadsMax <= 1) return best
  let bestMs = await measure(best)
  while (best < threadsMax && now() - startedAt < PROBE_MS_MAX) {
    const threads = Math.min(best * 2, threadsMax)
    const ms = await measure(threads)
    if (ms * GAIN_MIN > bestMs) break
    best = threads
    bestMs = ms
  }
  return best
}
