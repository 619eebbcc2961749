/** How long holds live. Kept in memory only: a restarted ledger gives every open hold a fresh lease. */
export interface Leases {
  /** Until when a lease that begins now lives, Unix ms. */
  untilMs(): number
  /** Gives a hold a fresh lease. */
  grant(holdId: string): void
  /** A fresh lease for a hold that still has one; false where it has none any more. */
  renew(holdId: string): boolean
  /** Forgets a hold that was closed. */
  drop(holdId: string): void
  /** Takes out holds whose lease has run out: from here on they cannot be renewed. */
  takeDue(lengthMax: number): string[]
}

/**
 * Creates {@link Leases}. Bounded by the number of open holds. They run by a clock that nobody sets: a wall clock that
 * jumps ahead must not end every running request, and one that jumps back must not keep money for hours.
 */
export function createLeases(
  components: { clock: () => number; steadyClock: () => number },
  options: { leaseMs: number },
): Leases {
  const leases = new Map<string, number>()
  const endMs = (): number => components.steadyClock() + options.leaseMs

  return {
    untilMs: () => components.clock() + options.leaseMs,
    grant: (holdId) => void leases.set(holdId, endMs()),
    renew(holdId) {
      if (!leases.has(holdId)) return false
      leases.set(holdId, endMs())
      return true
    },
    drop: (holdId) => void leases.delete(holdId),
    takeDue(lengthMax) {
      const nowMs = components.steadyClock()
      const due: string[] = []
      for (const [holdId, until] of leases) {
        if (due.length >= lengthMax) break
        if (until > nowMs) continue
        due.push(holdId)
        leases.delete(holdId)
      }
      return due
    },
  }
}
