import type { PriceList } from '@lexora/protocol'
import type { Transfer } from './books.ts'
import type { Account, ApiKey, Claim, Enrolment, Hold, Member, Settlement } from './records.ts'

/**
 * One thing that happened. Changes carry facts and no instructions: entering them again from the first gives the
 * same state, whatever the rules of the day are.
 */
export type Change =
  | { type: 'genesis'; ledgerId: string; format: 1 }
  | { type: 'transfers'; transfers: Transfer[] }
  | { type: 'account'; account: Account }
  | { type: 'accountState'; accountId: string; state: Account['state']; reason?: string }
  | { type: 'key'; key: ApiKey }
  | { type: 'keyRevoked'; keyId: string }
  | { type: 'enrolment'; enrolment: Enrolment }
  | { type: 'enrolled'; enrolmentId: string; member: Member }
  | { type: 'memberRevoked'; peerId: string }
  | { type: 'prices'; list: PriceList }
  | { type: 'hold'; hold: Hold }
  | { type: 'claim'; holdId: string; claim: Claim }
  | {
      type: 'holdClosed'
      holdId: string
      state: 'captured' | 'voided' | 'expired'
      settlement?: Settlement
      /** Base64url; absent where the settlement rests on the claim that was entered before. */
      receipt?: string
    }

/** What one command did: its money and its records in one, so that no crash comes between them. */
export interface Entry {
  /** Contiguous from 0, which is the genesis entry. */
  seq: number
  /** The ledger's clock, Unix ms. */
  atMs: number
  changes: Change[]
}
