import { assert, type PriceList } from '@lexora/protocol'
import {
  allowanceExpiryId,
  allowanceId,
  countAllowance,
  createFreeTier,
  type FreeTierState,
} from './allowance.ts'
import { type Books, createBooks, enterTransfers } from './books.ts'
import type { Change, Entry, FreeTierChange, IdentityChange, PriceChange } from './entry.ts'
import { createIdentity, enterIdentity, type IdentityState } from './identity.ts'
import { createPaymentBook, enterPayment, type PaymentBook } from './payments.ts'
import { countEarned, createPayoutBook, enterPayout, type PayoutBook } from './payouts.ts'
import type { Hold, KeyUsage, PriceDraft, Settlement } from './records.ts'
import type { Decision, Refusal } from './refusal.ts'
import { NO_SPENDING, type Spending, withHeld, withSpent } from './spending.ts'
import { Table } from './table.ts'

/** Closed holds that are forgotten together, where there is room for so many: less than a millisecond's work. */
const FORGOTTEN_AT_ONCE = 1_000

/** Options of {@link createState}. */
export interface StateOptions {
  /**
   * Most closed holds that are remembered for repeats and late calls; older ones are forgotten and a late call for
   * one answers `hold_not_found`. Default 100,000, about 150 MB and five minutes at 300 requests per second.
   */
  closedHoldsMax?: number
}

/**
 * Raise it with every change after which the same entries fold to another state: snapshots of another format are put
 * aside and the journal is replayed. New and renamed fields are noticed without it.
 */
export const STATE_FORMAT = 1

/**
 * Everything the ledger knows: the fold of its journal. Changed by {@link enter} alone. Records are replaced and never
 * changed in place, and what grows with the number of customers is a Table: snapshots are taken while the ledger works.
 */
export interface LedgerState extends IdentityState {
  readonly closedHoldsMax: number
  ledgerId: string
  nextSeq: number
  books: Books
  keyUsage: Map<string, KeyUsage>
  /** By key, or by the first of keys that continue each other. */
  spending: Map<string, Spending>
  freeTier: FreeTierState
  bought: PaymentBook
  payouts: PayoutBook
  /** Ascending versions. */
  prices: PriceList[]
  /** Versions that were cancelled before their time came. */
  pricesCancelled: Set<number>
  /** None or one. */
  priceDrafts: PriceDraft[]
  holds: Map<string, Hold>
  /** `gateway/requestId` to hold id. */
  holdIds: Map<string, string>
  openHolds: Set<string>
  /** Closed holds, oldest first. */
  closedHolds: Set<string>
}

/** The state before the first entry. */
export function createState(options: StateOptions = {}): LedgerState {
  return {
    closedHoldsMax: options.closedHoldsMax ?? 100_000,
    ledgerId: '',
    nextSeq: 0,
    books: createBooks(),
    ...createIdentity(),
    keyUsage: new Table(),
    spending: new Table(),
    freeTier: createFreeTier(),
    bought: createPaymentBook(),
    payouts: createPayoutBook(),
    prices: [],
    pricesCancelled: new Set(),
    priceDrafts: [],
    holds: new Table(),
    holdIds: new Table(),
    openHolds: new Set(),
    closedHolds: new Set(),
  }
}

/** A pure rule: looks at the state, never changes it. Time and randomness come with the command. */
export type Rule<C, T> = (state: LedgerState, command: C, nowMs: number) => Decision<T>

/** What came of a command. `entry` is absent where it was a repeat that changes nothing. */
export type Outcome<T> =
  | { ok: true; answer: T; entry?: Entry }
  | Extract<Decision<T>, { ok: false }>

/**
 * Carries out one command: asks its rule, and enters what the rule decided. A refusal leaves the state untouched.
 * Throws only where an invariant is broken; the state must not be used after that.
 */
export function apply<C, T>(
  state: LedgerState,
  rule: Rule<C, T>,
  command: C,
  nowMs: number,
): Outcome<T> {
  const decision = rule(state, command, nowMs)
  if (!decision.ok) return decision
  if (decision.changes.length === 0) return { ok: true, answer: decision.answer }
  const entry = { seq: state.nextSeq, atMs: nowMs, changes: decision.changes }
  const reason = enter(state, entry)
  return reason === undefined ? { ok: true, answer: decision.answer, entry } : { ok: false, reason }
}

/** Enters an entry of the journal. Throws where it does not follow from those before it. */
export function replay(state: LedgerState, entry: Entry): void {
  assert(entry.seq === state.nextSeq, `entry ${entry.seq} follows entry ${state.nextSeq - 1}`)
  const refused = enter(state, entry)
  assert(refused === undefined, `entry ${entry.seq} is acceptable: ${refused?.message}`)
}

/** Money first, since only money can still be refused; then the records. */
function enter(state: LedgerState, entry: Entry): Refusal | undefined {
  const transfers = entry.changes.flatMap((change) =>
    change.type === 'transfers' ? change.transfers : [],
  )
  if (transfers.length > 0) {
    const refused = enterTransfers(state.books, transfers)
    if (refused !== undefined) return refused
  }
  for (const change of entry.changes) enterRecord(state, change, entry.atMs)
  state.nextSeq += 1
  return undefined
}

function enterRecord(state: LedgerState, change: Change, atMs: number): void {
  switch (change.type) {
    case 'transfers':
      return
    case 'genesis':
      assert(state.nextSeq === 0 && change.format === 1, 'the journal begins with its genesis')
      state.ledgerId = change.ledgerId
      return
    case 'hold':
    case 'claim':
    case 'holdClosed':
      return enterHold(state, change, atMs)
    default:
      return enterTrade(state, change, atMs)
  }
}

type HoldChange = Extract<Change, { type: 'hold' | 'claim' | 'holdClosed' }>

function enterTrade(
  state: LedgerState,
  change: Exclude<Change, HoldChange | { type: 'transfers' } | { type: 'genesis' }>,
  atMs: number,
): void {
  switch (change.type) {
    case 'topUp':
    case 'payment':
    case 'refund':
    case 'dispute':
    case 'paymentEvent':
    case 'paymentEventDone':
      return enterPayment(state.bought, change)
    case 'earningsMatured':
    case 'earningsReversed':
    case 'payoutBatch':
    case 'payout':
      return enterPayout(state.payouts, change)
    default:
      return enterOffer(state, change, atMs)
  }
}

function enterOffer(
  state: LedgerState,
  change: PriceChange | FreeTierChange | IdentityChange,
  atMs: number,
): void {
  switch (change.type) {
    case 'prices':
      assert((state.prices.at(-1)?.version ?? 0) < change.list.version, 'price versions rise')
      state.prices.push(change.list)
      return
    case 'priceDraft':
      state.priceDrafts[0] = change.draft
      return
    case 'priceDraftDropped':
      state.priceDrafts.length = 0
      return
    case 'pricesCancelled':
      state.pricesCancelled.add(change.version)
      return
    case 'freeTierPolicy':
      state.freeTier.policies.push(change.policy)
      return
    case 'allowance':
      return enterAllowance(state, change)
    default:
      return enterIdentity(state, change, { seq: state.nextSeq, atMs })
  }
}

function enterAllowance(state: LedgerState, change: Extract<Change, { type: 'allowance' }>): void {
  const { accountId, day } = change
  const before = state.freeTier.days.get(accountId)
  assert(before === undefined || before < day, 'one allowance a day')
  countAllowance(state.freeTier, change)
  // The day guards against repeats, so the transfers are only needed in the journal.
  state.books.transfers.delete(allowanceId(accountId, day))
  state.books.transfers.delete(allowanceExpiryId(accountId, day))
}

function enterHold(state: LedgerState, change: HoldChange, atMs: number): void {
  if (change.type === 'hold') {
    const { hold } = change
    assert(!state.holds.has(hold.holdId), 'hold ids are new')
    state.holds.set(hold.holdId, hold)
    state.holdIds.set(requestKey(hold.gateway, hold.requestId), hold.holdId)
    state.openHolds.add(hold.holdId)
    const { spendsAs, spending } = spendingOf(state, hold.keyId)
    state.spending.set(spendsAs, withHeld(spending, hold.ceiling, atMs))
    return
  }
  const hold = existing(state.holds, change.holdId)
  assert(hold.state === 'open', 'a hold ends once')
  if (change.type === 'claim') {
    state.holds.set(hold.holdId, { ...hold, claim: change.claim })
    return
  }
  const closed: Hold = { ...hold, state: change.state }
  if (change.settlement !== undefined) closed.settlement = change.settlement
  if (closed.claim !== undefined) delete closed.claim
  state.holds.set(hold.holdId, closed)
  state.openHolds.delete(hold.holdId)
  state.closedHolds.add(hold.holdId)
  if (change.settlement !== undefined) {
    countUsage(state, hold.keyId, change.settlement)
    const { providerAccountId: accountId, providerShare: amount } = change.settlement
    countEarned(state.payouts, { accountId, amount }, atMs)
  }
  const { spendsAs, spending } = spendingOf(state, hold.keyId)
  const spent = { ceiling: hold.ceiling, cost: change.settlement?.cost ?? 0n }
  state.spending.set(spendsAs, withSpent(spending, spent, atMs))
  forgetTransfers(state, hold)
  forgetClosed(state)
}

function countUsage(state: LedgerState, keyId: string, settlement: Settlement): void {
  const before = usageOf(state, keyId)
  state.keyUsage.set(keyId, {
    requests: before.requests + 1,
    promptTokens: before.promptTokens + settlement.usage.promptTokens,
    completionTokens: before.completionTokens + settlement.usage.completionTokens,
    spentNanoUsd: before.spentNanoUsd + settlement.cost,
  })
}

/** What a key has used so far. */
export function usageOf(state: LedgerState, keyId: string): KeyUsage {
  const none = { requests: 0, promptTokens: 0, completionTokens: 0, spentNanoUsd: 0n }
  return state.keyUsage.get(keyId) ?? none
}

/** What a key and those that it continues have spent, and under which name that is kept. */
export function spendingOf(
  state: LedgerState,
  keyId: string,
): { spendsAs: string; spending: Spending } {
  const spendsAs = state.keys.get(keyId)?.spendsAs ?? keyId
  return { spendsAs, spending: state.spending.get(spendsAs) ?? NO_SPENDING }
}

/** A closed hold guards itself against repeats, so its transfers are only needed in the journal. */
function forgetTransfers(state: LedgerState, hold: Hold): void {
  const { transfers } = state.books
  for (const { transferId } of hold.parts) {
    transfers.delete(transferId)
    transfers.delete(resolutionId(transferId))
  }
  transfers.delete(earningId(hold.holdId))
  transfers.delete(feeId(hold.holdId))
}

/**
 * Old closed holds take nothing but memory: their money is in the totals and their entries in the journal. Many at
 * once, since finding the oldest of a Set means stepping over all that were deleted before it.
 */
function forgetClosed(state: LedgerState): void {
  const { closedHoldsMax: max } = state
  if (state.closedHolds.size <= max + Math.min(max >> 3, FORGOTTEN_AT_ONCE)) return
  for (const holdId of state.closedHolds) {
    if (state.closedHolds.size <= state.closedHoldsMax) return
    const hold = existing(state.holds, holdId)
    state.holdIds.delete(requestKey(hold.gateway, hold.requestId))
    state.holds.delete(holdId)
    state.closedHolds.delete(holdId)
  }
}

/** Index key of a gateway's request. */
export function requestKey(gateway: string, requestId: string): string {
  return `${gateway}/${requestId}`
}

/** Id of the capture, void or expiry of a pending transfer. One id for all: it can only end once. */
export function resolutionId(pendingId: string): string {
  return `${pendingId}/end`
}

/** Id of the provider's share of a hold. */
export function earningId(holdId: string): string {
  return `${holdId}/earning`
}

/** Id of the network's share of a hold. */
export function feeId(holdId: string): string {
  return `${holdId}/fee`
}

function existing<V>(map: ReadonlyMap<string, V>, id: string): V {
  const value = map.get(id)
  assert(value !== undefined, `${id} was entered before`)
  return value
}
