import { errorCodeOf, HOLDS_PER_RENEWAL_MAX } from '@lexora/protocol'
import type { Logger } from 'pino'
import type { Ledger } from './ledger.ts'

/**
 * How often running holds are renewed, ms: a twelfth of the ledger's default lease of 60 s, and below the shortest that
 * it can be started with (6 s).
 */
const RENEW_INTERVAL_MS = 5_000

/** Keeps the holds of running requests alive while their streams live. */
export interface Leases {
  start(): void
  stop(): void
  /** Renews the hold from now on, until the returned function is called. */
  keep(holdId: string): () => void
}

/** Makes the lease keeper. */
export function createLeases(components: { ledger: Ledger; log: Logger }): Leases {
  const { ledger, log } = components
  const held = new Set<string>()
  let timer: NodeJS.Timeout | undefined

  async function renew(): Promise<void> {
    const all = [...held]
    for (let start = 0; start < all.length; start += HOLDS_PER_RENEWAL_MAX) {
      const holdIds = all.slice(start, start + HOLDS_PER_RENEWAL_MAX)
      try {
        const { openHoldIds } = await ledger.renewHolds(holdIds)
        if (openHoldIds.length < holdIds.length) {
          log.warn(
            { lost: holdIds.length - openHoldIds.length },
            'some holds of running requests are closed',
          )
        }
      } catch (error) {
        log.warn(
          { code: errorCodeOf(error), holds: holdIds.length },
          'leases not renewed; the next turn tries again',
        )
      }
    }
  }

  return {
    start() {
      timer = setInterval(() => void renew(), RENEW_INTERVAL_MS) // renew() handles its own errors
    },
    stop() {
      clearInterval(timer)
    },
    keep(holdId) {
      held.add(holdId)
      return () => void held.delete(holdId)
    },
  }
}
