import {
  type ClaimState,
  claimReceipt,
  claimRequestCodec,
  claimResponseCodec,
  LEDGER_METHODS,
} from '@lexora/protocol'
import type { LedgerClient } from '@lexora/protocol/mesh'

/** Claims at the ledger with this provider's own receipts. Throws the ledger's coded errors. */
export function claimAt(
  ledger: Pick<LedgerClient, 'call'>,
): (holdId: string, receipt: Uint8Array) => Promise<ClaimState> {
  return async (holdId, receipt) => {
    const { state } = await ledger.call(
      LEDGER_METHODS.claim,
      { request: claimRequestCodec, response: claimResponseCodec },
      { holdId, receipt: claimReceipt(receipt) },
    )
    return state
  }
}
