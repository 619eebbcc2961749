import {
  assert,
  type ClaimState,
  type CostSplit,
  type NanoUsd,
  quote,
  splitCost,
} from '@lexora/protocol'
import type { Transfer } from '../books.ts'
import { FEES_ACCOUNT, maturingAccount, SETTLE_ACCOUNT } from '../chart.ts'
import type { Change } from '../entry.ts'
import type { Claim, Delivery, Hold, HoldPart, Settlement } from '../records.ts'
import { accept, type Decision, type Refusal, refuse } from '../refusal.ts'
import { earningId, feeId, type LedgerState, resolutionId } from '../state.ts'
import { holdClosed, placedHold, refuseGateway, refuseHoldUnknown, release } from './holds.ts'

/** A gateway's settlement. */
export interface SettleCommand extends Delivery {
  holdId: string
  gateway: string
  signedByProvider: boolean
  /** Base64url. */
  receipt: string
}

/** What was captured. `repeated`: by an earlier call with the same content. */
export interface Settled extends CostSplit {
  repeated: boolean
}

/**
 * Captures what a request cost and releases the rest. The first settlement stands: the same again gets the same
 * answer, another one `hold_closed` with what stands.
 */
export function settleHold(
  state: LedgerState,
  command: SettleCommand,
  nowMs: number,
): Decision<Settled> {
  const hold = state.holds.get(command.holdId)
  if (hold === undefined) return refuseHoldUnknown(command.holdId)
  if (hold.gateway !== command.gateway) return refuseGateway()
  if (hold.state !== 'open') {
    const { settlement } = hold
    return settlement !== undefined && isSameDelivery(settlement, command)
      ? accept({ ...splitOf(settlement), repeated: true })
      : { ok: false, reason: holdClosed(hold) }
  }
  const fault = deliveryFault(state, hold, command)
  if (fault !== undefined) return { ok: false, reason: fault }
  const { provider, usage, finishReason, signedByProvider } = command
  const settlement = settlementOf(state, hold, {
    delivery: { provider, usage, finishReason },
    source: 'gateway',
    signedByProvider,
    nowMs,
  })
  return accept(
    { ...splitOf(settlement), repeated: false },
    closingChanges(hold, settlement, command.receipt),
  )
}

/** A provider's own receipt for a hold. */
export interface ClaimCommand extends Delivery {
  holdId: string
  /** Base64url. */
  receipt: string
}

/**
 * Keeps a provider's receipt until the hold is closed: it counts where the gateway has not settled by the time that
 * the lease runs out. The first claim stands.
 */
export function claimHold(
  state: LedgerState,
  command: ClaimCommand,
  nowMs: number,
): Decision<ClaimState> {
  const hold = state.holds.get(command.holdId)
  if (hold === undefined) return refuseHoldUnknown(command.holdId)
  if (hold.state !== 'open') {
    return accept(
      hold.settlement !== undefined ? 'settled' : hold.state === 'expired' ? 'expired' : 'voided',
    )
  }
  if (hold.claim !== undefined) {
    return isSameDelivery(hold.claim, command)
      ? accept('recorded')
      : refuse('conflict', 'another claim for this hold was recorded', { holdId: hold.holdId })
  }
  const fault = deliveryFault(state, hold, command)
  if (fault !== undefined) return { ok: false, reason: fault }
  const { holdId, provider, usage, finishReason, receipt } = command
  const claim: Claim = { provider, usage, finishReason, receipt, claimedAtMs: nowMs }
  return accept('recorded', [{ type: 'claim', holdId, claim }])
}

/** Ends a hold whose lease ran out: by the provider's claim where there is one, else the money is free again. */
export function lapseHold(
  state: LedgerState,
  command: { holdId: string },
  nowMs: number,
): Decision<Hold['state']> {
  const hold = state.holds.get(command.holdId)
  if (hold === undefined) return refuseHoldUnknown(command.holdId)
  if (hold.state !== 'open') return accept(hold.state)
  if (hold.claim === undefined) {
    return accept('expired', [
      { type: 'transfers', transfers: hold.parts.map((part) => release(part, 'expiry')) },
      { type: 'holdClosed', holdId: hold.holdId, state: 'expired' },
    ])
  }
  const { provider, usage, finishReason } = hold.claim
  const settlement = settlementOf(state, hold, {
    delivery: { provider, usage, finishReason },
    source: 'claim',
    signedByProvider: true,
    nowMs,
  })
  return accept(settlement.cost === 0n ? 'voided' : 'captured', closingChanges(hold, settlement))
}

/**
 * The money of a settlement, as one linked group: each part of the hold is captured as far as the cost goes,
 * promotional credit first, and the rest released; then the provider's share and the fee leave `platform:settle`.
 */
function settlementTransfers(hold: Hold, settlement: Settlement): Transfer[] {
  const transfers: Transfer[] = []
  let left = settlement.cost
  for (const part of hold.parts) {
    const taken = left < part.amount ? left : part.amount
    left -= taken
    transfers.push(taken > 0n ? capture(part, taken) : release(part, 'void'))
  }
  assert(left === 0n, 'a cost is at most its hold')
  const { holdId } = hold
  const maturing = maturingAccount(settlement.providerAccountId)
  if (settlement.providerShare > 0n) {
    transfers.push(share('earning', earningId(holdId), maturing, settlement.providerShare))
  }
  if (settlement.fee > 0n) transfers.push(share('fee', feeId(holdId), FEES_ACCOUNT, settlement.fee))
  return transfers
}

function closingChanges(hold: Hold, settlement: Settlement, receipt?: string): Change[] {
  const proof = receipt === undefined ? {} : { receipt }
  return [
    { type: 'transfers', transfers: settlementTransfers(hold, settlement) },
    {
      type: 'holdClosed',
      holdId: hold.holdId,
      state: settlement.cost === 0n ? 'voided' : 'captured',
      settlement,
      ...proof,
    },
  ]
}

function settlementOf(
  state: LedgerState,
  hold: Hold,
  facts: {
    delivery: Delivery
    source: Settlement['source']
    signedByProvider: boolean
    nowMs: number
  },
): Settlement {
  const placed = placedHold(state, hold)
  const member = state.members.get(facts.delivery.provider)
  assert(placed !== undefined && member !== undefined, 'a settled hold has its price and provider')
  return {
    ...facts.delivery,
    ...splitCost(quote(placed.price, facts.delivery.usage), placed.feeBasisPoints),
    providerAccountId: member.accountId,
    source: facts.source,
    signedByProvider: facts.signedByProvider,
    settledAtMs: facts.nowMs,
  }
}

/**
 * A provider that was revoked after it had delivered is still paid: suspicion is handled before earnings become
 * payable, not here.
 */
function deliveryFault(state: LedgerState, hold: Hold, delivery: Delivery): Refusal | undefined {
  if (state.members.get(delivery.provider)?.role !== 'provider') {
    return invalid('the receipt names a provider that is not enrolled', hold)
  }
  const { promptTokens, cachedTokens, completionTokens } = delivery.usage
  const counts = [promptTokens, cachedTokens, completionTokens]
  if (counts.some((count) => !Number.isSafeInteger(count) || count < 0)) {
    return invalid('the receipt counts are not whole numbers', hold)
  }
  if (cachedTokens > promptTokens) return invalid('more cached tokens than prompt tokens', hold)
  if (promptTokens > hold.promptTokensMax) return invalid('more prompt tokens than were held', hold)
  if (completionTokens > hold.maxTokens) return invalid('more output tokens than were held', hold)
  return undefined
}

function invalid(message: string, hold: Hold): Refusal {
  return { code: 'receipt_invalid', message, facts: { holdId: hold.holdId } }
}

function isSameDelivery(recorded: Delivery, offered: Delivery): boolean {
  return (
    recorded.provider === offered.provider &&
    recorded.finishReason === offered.finishReason &&
    recorded.usage.promptTokens === offered.usage.promptTokens &&
    recorded.usage.cachedTokens === offered.usage.cachedTokens &&
    recorded.usage.completionTokens === offered.usage.completionTokens
  )
}

function splitOf({ cost, fee, providerShare }: CostSplit): CostSplit {
  return { cost, fee, providerShare }
}

function capture(part: HoldPart, amount: NanoUsd): Transfer {
  const { transferId: pendingId } = part
  return { id: resolutionId(pendingId), kind: 'capture', pendingId, amount }
}

function share(kind: 'earning' | 'fee', id: string, credit: string, amount: NanoUsd): Transfer {
  return { id, kind, debit: SETTLE_ACCOUNT, credit, amount }
}
