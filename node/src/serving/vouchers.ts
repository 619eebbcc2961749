import { CLOCK_SKEW_MS, LexoraError, VOUCHER_LIFETIME_MS } from '@lexora/protocol'
import { VOUCHERS_REMEMBERED_MAX } from '../constants.ts'

/** How much is remembered. */
export interface VoucherMemoryOptions {
  /** Default {@link VOUCHERS_REMEMBERED_MAX}. */
  vouchersMax?: number
}

/** Remembers which vouchers were used, for as long as they could be shown again. */
export interface VoucherMemory {
  /** Marks a voucher as used. Throws `voucher_invalid` for a used one and `provider_busy` when the memory is full. */
  use(holdId: string): void
  /** Forgets a voucher that came to nothing: the gateway may show it again. */
  unuse(holdId: string): void
}

/**
 * Makes the memory of one start. A voucher is believed until its expiry plus the skew, and its expiry is at most a
 * lifetime plus the skew away, so what was used that long ago can be forgotten: first in, first out.
 */
export function createVoucherMemory(
  clock: () => number,
  options: VoucherMemoryOptions = {},
): VoucherMemory {
  const vouchersMax = options.vouchersMax ?? VOUCHERS_REMEMBERED_MAX
  const forgetAtMs = new Map<string, number>()

  function forget(nowMs: number): void {
    for (const [holdId, atMs] of forgetAtMs) {
      if (atMs >= nowMs) return
      forgetAtMs.delete(holdId)
    }
  }

  return {
    use(holdId) {
      const nowMs = clock()
      forget(nowMs)
      if (forgetAtMs.has(holdId))
        throw new LexoraError('voucher_invalid', 'the voucher was used before')
      if (forgetAtMs.size >= vouchersMax) {
        throw new LexoraError('provider_busy', 'too many vouchers were used in the last minutes', {
          facts: { vouchersMax },
        })
      }
      forgetAtMs.set(holdId, nowMs + VOUCHER_LIFETIME_MS + 2 * CLOCK_SKEW_MS)
    },
    unuse: (holdId) => void forgetAtMs.delete(holdId),
  }
}
