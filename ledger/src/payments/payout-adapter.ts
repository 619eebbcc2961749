import type { Payout } from '../core/payouts.ts'
import type { PayoutResult } from '../core/rules/payouts.ts'

/** Whoever pays providers. Bank details stay with it. */
export interface PayoutAdapter {
  readonly name: string
  /**
   * Sends approved payouts on their way; the payout id is the idempotency key. Results that are known at once; the
   * others are entered when they are known.
   */
  submit(payouts: readonly Payout[]): Promise<PayoutResult[]>
}

/** People pay by hand from an exported list, and enter what came of it. */
export function createManualPayouts(): PayoutAdapter {
  return { name: 'manual', submit: async () => [] }
}
