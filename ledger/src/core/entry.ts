import type { NanoUsd, PriceList } from '@lexora/protocol'
import type { FreeTierPolicy } from './allowance.ts'
import type { Transfer } from './books.ts'
import type { PaymentChange } from './payments.ts'
import type { PayoutChange } from './payouts.ts'
import type {
  Account,
  ApiKey,
  Audit,
  Claim,
  Enrolment,
  Hold,
  Invite,
  Member,
  PriceDraft,
  Settlement,
  TermsVersion,
} from './records.ts'

/**
 * One thing that happened. Changes carry facts and no instructions: entering them again from the first gives the
 * same state, whatever the rules of the day are.
 */
export type Change =
  | { type: 'genesis'; ledgerId: string; format: 1 }
  | { type: 'transfers'; transfers: Transfer[] }
  | IdentityChange
  | PriceChange
  | PaymentChange
  | PayoutChange
  | FreeTierChange
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

/** A change of who is known. */
export type IdentityChange =
  | { type: 'account'; account: Account }
  | {
      type: 'accountState'
      accountId: string
      state: Account['state']
      reason?: string
      resumesAtMs?: number
    }
  | { type: 'accountVerified'; accountId: string }
  | { type: 'termsAccepted'; accountId: string; version: number }
  | { type: 'freeTierWord'; accountId: string; word: 'allowed' | 'refused' }
  | { type: 'key'; key: ApiKey }
  /** The whole key as it is from now on. */
  | { type: 'keyChanged'; key: ApiKey }
  | { type: 'keyRevoked'; keyId: string }
  | { type: 'enrolment'; enrolment: Enrolment }
  | { type: 'enrolled'; enrolmentId: string; member: Member }
  | { type: 'memberRevoked'; peerId: string }
  /** The member goes on under a new serial, so that certificates of the old one are no longer good. */
  | { type: 'memberReissued'; peerId: string; serial: number }
  | { type: 'invite'; invite: Invite }
  | { type: 'inviteUsed'; inviteId: string; accountId: string }
  | { type: 'terms'; terms: TermsVersion }
  | { type: 'audit'; audit: Audit }

/** A change of what is given away. */
export type FreeTierChange =
  | { type: 'freeTierPolicy'; policy: FreeTierPolicy }
  /** The money moves by transfers of the same entry. */
  | { type: 'allowance'; accountId: string; day: number; amount: NanoUsd }

/** A change of what things cost. */
export type PriceChange =
  /** In force from its time on; until then it can be cancelled. */
  | { type: 'prices'; list: PriceList }
  | { type: 'priceDraft'; draft: PriceDraft }
  | { type: 'priceDraftDropped' }
  | { type: 'pricesCancelled'; version: number }

/** What one command did: its money and its records in one, so that no crash comes between them. */
export interface Entry {
  /** Contiguous from 0, which is the genesis entry. */
  seq: number
  /** The ledger's clock, Unix ms. */
  atMs: number
  changes: Change[]
}
