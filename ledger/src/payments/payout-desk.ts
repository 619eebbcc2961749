import { LexoraError, type NanoUsd } from '@lexora/protocol'
import type { Payout, PayoutBatch } from '../core/payouts.ts'
import {
  dueEarnings,
  type Earnings,
  earningsOf,
  matureEarnings,
  reverseEarnings,
} from '../core/rules/earnings.ts'
import {
  approvePayouts,
  markPayout,
  type PayoutResult,
  payoutsOf,
  preparePayouts,
} from '../core/rules/payouts.ts'
import { checkText, type Desk, newId } from '../desk.ts'
import { createManualPayouts, type PayoutAdapter } from './payout-adapter.ts'
import { payoutCsv } from './payout-csv.ts'

/** Time to find out about fraud before the money is gone. */
const HOLD_BACK_MS = 7 * 24 * 60 * 60 * 1_000
/** Days of accounts that mature in one turn of the timer. */
const MATURED_PER_TURN_MAX = 1_000

/** Options of {@link createPayoutDesk}. */
export interface PayoutOptions {
  /** From the end of the day of the work to when it is payable. Default 7 days. */
  holdBackMs?: number
  /** Default: people pay by hand. */
  payoutAdapter?: PayoutAdapter
}

/** A batch with its payouts. */
export interface BatchView extends PayoutBatch {
  payouts: Payout[]
}

/** What providers are paid. */
export interface PayoutDesk {
  /** Throws `not_found`. */
  earnings(accountId: string): Earnings
  /** Takes back what is not payable yet; the same id again is harmless. Throws `insufficient_credit`, `conflict`. */
  reverseEarnings(request: {
    accountId: string
    amount: NanoUsd
    id: string
  }): Promise<{ repeated: boolean }>
  /** Makes payable what has been held back for long enough. Called from a timer. Answers how many days it were. */
  matureDue(): Promise<number>
  /** Sets money aside for everybody who has at least the threshold. Throws `not_found` where nobody has. */
  preparePayouts(request: { thresholdNanoUsd: NanoUsd; actor: string }): Promise<BatchView>
  /** The second of two different operators sends the batch on its way. Throws `not_found`. */
  approvePayouts(request: { batchId: string; actor: string }): Promise<BatchView>
  /** Enters how a payout went. Throws `not_found`, `conflict`. */
  markPayout(result: PayoutResult): Promise<Payout>
  /** Oldest first. */
  listBatches(): BatchView[]
  /** A batch as CSV. Throws `not_found`. */
  exportPayouts(batchId: string): string
}

/** The part of the service that pays providers. */
export function createPayoutDesk(desk: Desk, options: PayoutOptions = {}): PayoutDesk {
  const { writer, state, log, clock } = desk
  const { holdBackMs = HOLD_BACK_MS, payoutAdapter = createManualPayouts() } = options
  const view = (batch: PayoutBatch): BatchView => ({ ...batch, payouts: payoutsOf(state, batch) })

  return {
    earnings(accountId) {
      if (state.accounts.has(accountId)) return earningsOf(state, accountId)
      throw new LexoraError('not_found', 'there is no such account')
    },
    reverseEarnings: async (request) => {
      checkText(request.id, 'id')
      return writer.submit(reverseEarnings, request)
    },
    async matureDue() {
      const due = dueEarnings(state, holdBackMs, clock()).slice(0, MATURED_PER_TURN_MAX)
      for (const { accountId, day } of due) {
        await writer.submit(matureEarnings, { accountId, day, holdBackMs })
      }
      return due.length
    },
    async preparePayouts({ thresholdNanoUsd, actor }) {
      checkText(actor, 'actor')
      const batchId = newId(desk, 'pay')
      return view(await writer.submit(preparePayouts, { batchId, thresholdNanoUsd, actor }))
    },
    async approvePayouts({ batchId, actor }) {
      checkText(actor, 'actor')
      const batch = await writer.submit(approvePayouts, { batchId, actor })
      const approved = payoutsOf(state, batch).filter((payout) => payout.state === 'approved')
      if (approved.length > 0) {
        log.info({ batchId, adapter: payoutAdapter.name, count: approved.length }, 'payouts go out')
        for (const result of await payoutAdapter.submit(approved)) {
          await writer.submit(markPayout, result)
        }
      }
      return view(batch)
    },
    async markPayout(result) {
      checkText(result.note, 'note')
      return writer.submit(markPayout, result)
    },
    listBatches: () => [...state.payouts.batches.values()].map(view),
    exportPayouts(batchId) {
      const batch = state.payouts.batches.get(batchId)
      if (batch !== undefined) return payoutCsv(payoutsOf(state, batch))
      throw new LexoraError('not_found', 'there is no such batch')
    },
  }
}
