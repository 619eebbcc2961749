import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from './store.ts'

/** Reads the whole journal over and over, since a start from a snapshot reads its end alone. */
export interface Scrub {
  /** Stops reading. Call it before the store is closed. May be called twice. */
  stop(): Promise<void>
}

/** Options of {@link startScrub}. */
export interface ScrubOptions {
  /** Told what a reading threw, once; nothing is read after it. */
  onDamage: (error: unknown) => void
  /** From the end of a reading to the next. Default a day. */
  everyMs?: number
}

/** What is read in one go: some milliseconds of work. */
const SLICE_BYTES = 1024 ** 2
/** After each slice: at most 20 MB a second, so that a journal of 10 GB takes some minutes and a tenth of a core. */
const REST_MS = 50
const DAY_MS = 86_400_000

/** Starts a {@link Scrub}. */
export function startScrub(store: Store, options: ScrubOptions): Scrub {
  const stopping = new AbortController()
  const { signal } = stopping
  const rest = (ms: number): Promise<void> => sleep(ms, undefined, { signal, ref: false })

  async function readAll(): Promise<void> {
    let bytes = 0
    for await (const chunk of store.readFrom(0)) {
      bytes += chunk.bytes.byteLength
      if (bytes < SLICE_BYTES) continue
      bytes = 0
      await rest(REST_MS)
    }
  }

  async function scrub(): Promise<void> {
    try {
      for (;;) {
        await rest(REST_MS)
        await readAll()
        await rest(options.everyMs ?? DAY_MS)
      }
    } catch (error) {
      if (!signal.aborted) options.onDamage(error)
    }
  }

  const running = scrub()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}
