import {
  type AuthoriseRequest,
  type ClaimState,
  type FinishReason,
  LexoraError,
  MAX_TOKENS_MAX,
  type ModelPrice,
  type NanoUsd,
  RECORD_BYTES_MAX,
  type RenewHoldsResponse,
  type SettleResponse,
  type Usage,
} from '@lexora/protocol'
import type { Hold } from '../core/records.ts'
import { placeHold, voidHold } from '../core/rules/holds.ts'
import { claimHold, lapseHold, settleHold } from '../core/rules/settlement.ts'
import { checkBytes, checkCount, checkText, type Desk, hex } from '../desk.ts'
import type { Leases } from './leases.ts'

/** Most prompt tokens that a hold can be for. */
const PROMPT_TOKENS_MAX = 100_000_000
/** A receipt and the countersignature around it. */
const RECEIPT_BYTES_MAX = RECORD_BYTES_MAX + 1_024
const REQUEST_ID_BYTES = 16
/** Most holds that one turn of the timer closes, so that a restart's worth of them does not fill the queue. */
const LAPSES_PER_TURN_MAX = 5_000
const KEY_HASH_BYTES = 32

/** A placed hold: what a voucher says and a little more. */
export interface Authorisation {
  holdId: string
  accountId: string
  keyId: string
  priceVersion: number
  price: ModelPrice
  feeBasisPoints: number
  ceiling: NanoUsd
  /** Unix ms until which the hold lives unrenewed. */
  leaseUntilMs: number
}

/** A checked receipt: who delivered what. */
export interface DeliveryReport {
  holdId: string
  /** Peer id. */
  provider: string
  usage: Usage
  finishReason: FinishReason
  /** The receipt as it came, kept as the proof. */
  receipt: Uint8Array
}

/** What was agreed when a hold was placed; `requestId` in hex. */
export type HoldTerms = Pick<Hold, 'requestId' | 'gateway' | 'model' | 'priceVersion'>

/** What {@link HoldDesk.expireDue} did. */
export interface Expired {
  /** Closed by their provider's claim. */
  claimed: number
  /** Closed with nothing taken. */
  expired: number
}

/** Holds: money set aside for one request, until it is settled. */
export interface HoldDesk {
  /**
   * Checks the key and sets the worst case aside, idempotent by gateway and request id. Throws `invalid_api_key`,
   * `api_key_revoked`, `account_suspended`, `model_not_found`, `insufficient_credit` (final), `credit_reserved`
   * (running requests hold it: may fit later), `storage_full`, `conflict`, `hold_closed`, `ledger_unavailable`.
   */
  authorise(request: AuthoriseRequest & { gateway: string }): Promise<Authorisation>
  /** Extends the leases of a gateway's holds. Names those that are still open; the others cannot be settled. */
  renewHolds(request: { gateway: string; holdIds: string[] }): RenewHoldsResponse
  /**
   * Captures what was delivered, once. Throws `hold_not_found`, `forbidden`, `receipt_invalid` and, where the hold
   * has ended in another way, `hold_closed` with what stands in the facts.
   */
  settle(
    request: DeliveryReport & { gateway: string; signedByProvider: boolean },
  ): Promise<SettleResponse>
  /** Releases a hold with nothing taken. Again is harmless. Throws `hold_not_found`, `forbidden`, `hold_closed`. */
  voidHold(request: { holdId: string; gateway: string }): Promise<void>
  /**
   * Keeps a provider's own receipt; it counts where the gateway has not settled when the lease runs out. Throws
   * `hold_not_found`, `receipt_invalid` and, after another claim for the hold, `conflict`.
   */
  claim(request: DeliveryReport): Promise<ClaimState>
  /** Closes every hold whose lease ran out: by its claim, else with nothing taken. Called from a timer. */
  expireDue(): Promise<Expired>
  /** What a receipt for the hold must say. Throws `hold_not_found`. */
  holdTerms(holdId: string): HoldTerms
  /** Number of open holds. */
  openHolds(): number
}

/** The part of the service that keeps holds. */
export function createHoldDesk(desk: Desk, leases: Leases): HoldDesk {
  const { writer, state, log } = desk
  for (const holdId of state.openHolds) leases.grant(holdId)

  return {
    async authorise(request) {
      checkAuthorise(request)
      const { gateway, model, promptTokensMax, maxTokens } = request
      const { hold, price, feeBasisPoints } = await writer.submit(placeHold, {
        holdId: newHoldId(desk),
        keyHash: hex(request.keyHash),
        requestId: hex(request.requestId),
        gateway,
        model,
        promptTokensMax,
        maxTokens,
        isStorageLow: desk.isStorageLow(),
      })
      leases.grant(hold.holdId)
      const { holdId, accountId, keyId, priceVersion, ceiling } = hold
      const prices = { priceVersion, price, feeBasisPoints }
      return { holdId, accountId, keyId, ...prices, ceiling, leaseUntilMs: leases.untilMs() }
    },
    renewHolds({ gateway, holdIds }) {
      const openHoldIds = holdIds.filter((holdId) => {
        const hold = state.holds.get(holdId)
        return hold?.state === 'open' && hold.gateway === gateway && leases.renew(holdId)
      })
      return { openHoldIds, leaseUntilMs: leases.untilMs() }
    },
    async settle(request) {
      const { gateway, signedByProvider } = request
      const command = { ...deliveryOf(request), gateway, signedByProvider }
      const settled = await writer.submit(settleHold, command)
      leases.drop(request.holdId)
      return {
        capturedNanoUsd: settled.cost,
        feeNanoUsd: settled.fee,
        providerNanoUsd: settled.providerShare,
        alreadySettled: settled.repeated,
      }
    },
    async voidHold(request) {
      await writer.submit(voidHold, request)
      leases.drop(request.holdId)
    },
    claim: async (request) => writer.submit(claimHold, deliveryOf(request)),
    async expireDue() {
      const due = leases.takeDue(LAPSES_PER_TURN_MAX)
      const states = await Promise.all(due.map((holdId) => lapse(holdId)))
      const expired = states.filter((each) => each === 'expired').length
      const claimed = states.filter((each) => each === 'captured' || each === 'voided').length
      if (due.length > 0) log.info({ claimed, expired }, 'leases ran out')
      return { claimed, expired }
    },
    holdTerms: (holdId) => termsOf(state.holds.get(holdId), holdId),
    openHolds: () => state.openHolds.size,
  }

  async function lapse(holdId: string): Promise<Hold['state']> {
    try {
      return await writer.submit(lapseHold, { holdId })
    } catch (error) {
      // An overloaded ledger comes back to it after another lease; a stopped one at its next start.
      log.warn({ err: error, holdId }, 'a hold could not be closed')
      leases.grant(holdId)
      return 'open'
    }
  }
}

function termsOf(hold: Hold | undefined, holdId: string): HoldTerms {
  if (hold !== undefined) return hold
  throw new LexoraError('hold_not_found', 'there is no such hold', { facts: { holdId } })
}

/** Time first, so that ids sort by age: 48 bits of milliseconds and 80 random ones, in hex. */
function newHoldId(desk: Desk): string {
  return desk.clock().toString(16).padStart(12, '0') + hex(desk.random(10))
}

function checkAuthorise(request: AuthoriseRequest & { gateway: string }): void {
  checkBytes(request.keyHash, 'keyHash', KEY_HASH_BYTES)
  checkBytes(request.requestId, 'requestId', REQUEST_ID_BYTES)
  checkText(request.gateway, 'gateway')
  checkText(request.model, 'model')
  checkCount(request.promptTokensMax, 'promptTokensMax', { min: 0, max: PROMPT_TOKENS_MAX })
  checkCount(request.maxTokens, 'maxTokens', { min: 1, max: MAX_TOKENS_MAX })
}

function deliveryOf(report: DeliveryReport) {
  const { holdId, provider, usage, finishReason } = report
  if (report.receipt.byteLength > RECEIPT_BYTES_MAX) {
    throw new LexoraError('receipt_invalid', 'the receipt is too long', { facts: { holdId } })
  }
  const { promptTokens, cachedTokens, completionTokens } = usage
  const receipt = Buffer.from(report.receipt).toString('base64url')
  const counted = { promptTokens, cachedTokens, completionTokens }
  return { holdId, provider, usage: counted, finishReason, receipt }
}
