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

/** Creates {@link Leases}. Bounded by the number of open holds. */
export function createLeases(
  components: { clock: () => number },
  options: { leaseMs: number },
): Leases {
  const leases = new Map<string, number>()
  const untilMs = (): number => components.clock() + options.leaseMs

  return {
    untilMs,
    grant: (holdId) => void leases.set(holdId, untilMs()),
    renew(holdId) {
      if (!leases.has(holdId)) return false
      leases.set(holdId, untilMs())
      return true
    },
    drop: (holdId) => void leases.delete(holdId),
    takeDue(lengthMax) {
      const nowMs = components.clock()
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
