import { findPrice, type NanoUsd, quote, splitCost, type Usage } from '@lexora/protocol'
import { checkBooks, type Transfer, totalsOf } from './core/books.ts'
import {
  FEES_ACCOUNT,
  freeAccount,
  maturingAccount,
  paidAccount,
  promoAccount,
} from './core/chart.ts'
import type { Change, Entry } from './core/entry.ts'
import type { Hold, HoldState, Settlement } from './core/records.ts'
import { pricesOf } from './core/rules/prices.ts'
import { createState, type LedgerState, replay } from './core/state.ts'
import { entriesOf, type Head } from './store/chunk.ts'
import type { Store } from './store/store.ts'
import { frozenByPayments, paymentProblems } from './verify-payments.ts'

/** Options of {@link verifyBooks}. */
export interface VerifyOptions {
  /** Reads and checks a stored receipt, signatures included. Throws where it is not valid. Absent: not looked into. */
  readReceipt?: (receipt: Uint8Array) => { holdId: string; provider: string; usage: Usage }
  /** Most problems that are listed. Default 100: a broken journal would list every entry. */
  problemsMax?: number
}

/** What {@link verifyBooks} found. The books balance where `problems` is empty. */
export interface BooksReport {
  problems: string[]
  head: Head
  entries: number
  holds: Record<HoldState, number>
  /** Holds that were captured, and what they took. */
  captures: number
  sumCaptured: NanoUsd
  /** What the receipts of those captures come to at the prices of their holds; equals `sumCaptured`. */
  sumReceipts: NanoUsd
  sumFees: NanoUsd
  sumProviderShares: NanoUsd
  /** What customers have left, posted, and how much of it running requests hold. */
  customersPaid: NanoUsd
  customersPromo: NanoUsd
  /** What is left of allowances. */
  customersFree: NanoUsd
  customersHeld: NanoUsd
  /** What providers have earned. */
  providersMaturing: NanoUsd
}

type Closing = Extract<Change, { type: 'holdClosed' }>

/**
 * Adds the whole journal up again from nothing, trusting no total that was ever computed. Steps per entry: the chain
 * (by the store); every capture against its receipt, its prices and its transfers; the entry itself, which must
 * follow from those before it. At the end: every sum. Never throws on broken books: it says what is wrong.
 */
export async function verifyBooks(store: Store, options: VerifyOptions = {}): Promise<BooksReport> {
  const state = createState()
  const report = emptyReport(store.head())
  try {
    for await (const chunk of store.readFrom(0)) {
      for (const entry of entriesOf(chunk)) verifyEntry(state, entry, { report, options })
    }
    if (state.nextSeq < report.head.nextSeq) report.problems.push('the journal ends too early')
  } catch (error) {
    // What follows a broken entry cannot be judged.
    report.problems.push(error instanceof Error ? error.message : String(error))
  }
  addTotals(state, report)
  const max = options.problemsMax ?? 100
  if (report.problems.length > max)
    report.problems.splice(max, Number.POSITIVE_INFINITY, 'and more')
  return report
}

interface Verification {
  report: BooksReport
  options: VerifyOptions
}

function verifyEntry(state: LedgerState, entry: Entry, verification: Verification): void {
  const { report } = verification
  const transfers = entry.changes.flatMap((change) =>
    change.type === 'transfers' ? change.transfers : [],
  )
  for (const change of entry.changes) {
    if (change.type === 'hold') report.holds.open += 1
    if (change.type !== 'holdClosed') continue
    report.holds.open -= 1
    report.holds[change.state] += 1
    const hold = state.holds.get(change.holdId)
    const fault =
      hold === undefined
        ? `hold ${change.holdId} is not known`
        : closingFault(state, { hold, change, transfers }, verification)
    if (fault !== undefined) report.problems.push(`entry ${entry.seq}: ${fault}`)
  }
  report.problems.push(
    ...allowanceFaults(state, entry.changes, transfers).map(
      (fault) => `entry ${entry.seq}: ${fault}`,
    ),
  )
  replay(state, entry)
  report.entries += 1
}

interface ClosingFacts {
  hold: Hold
  change: Closing
  transfers: Transfer[]
}

/** The first thing that is wrong with how a hold was closed. Counts its money on the way. */
function closingFault(
  state: LedgerState,
  facts: ClosingFacts,
  { report, options }: Verification,
): string | undefined {
  const { hold, change, transfers } = facts
  const { settlement } = change
  const taken = amountOf(transfers.filter((transfer) => transfer.kind === 'capture'))
  if (settlement === undefined) {
    return taken === 0n ? undefined : `hold ${hold.holdId} took money without a settlement`
  }
  const list = pricesOf(state, hold.priceVersion)
  const price = list === undefined ? undefined : findPrice(list, hold.model)
  if (list === undefined || price === undefined) return `hold ${hold.holdId} has no price`

  const cost = quote(price, settlement.usage)
  const split = splitCost(cost, list.feeBasisPoints)
  report.sumReceipts += cost
  if (change.state === 'captured') report.captures += 1
  report.sumCaptured += taken
  report.sumFees += settlement.fee
  report.sumProviderShares += settlement.providerShare
  const isPriced =
    settlement.cost === cost &&
    settlement.fee === split.fee &&
    settlement.providerShare === split.providerShare
  if (!isPriced) return `hold ${hold.holdId} was not charged by its price list`
  if (cost > hold.ceiling) return `hold ${hold.holdId} took more than it held`
  return moneyFault(facts, settlement) ?? proofFault(facts, settlement, options)
}

/** Whether exactly the settled money moved, from this hold to its provider and the fees. */
function moneyFault(facts: ClosingFacts, settlement: Settlement): string | undefined {
  const { hold, change, transfers } = facts
  const { cost, fee, providerShare } = settlement
  const name = `hold ${hold.holdId}`
  const parts = new Set(hold.parts.map((part) => part.transferId))
  const isOwn = transfers.every((each) => !('pendingId' in each) || parts.has(each.pendingId))
  if (!isOwn) return `${name} was settled with another hold's money`
  const earned = `provider share ${providerShare} and fee ${fee}`
  const maturing = maturingAccount(settlement.providerAccountId)
  const isMoved =
    amountOf(transfers.filter((each) => each.kind === 'capture')) === cost &&
    credited(transfers, maturing) === providerShare &&
    credited(transfers, FEES_ACCOUNT) === fee &&
    fee + providerShare === cost
  if (!isMoved) return `${name}: the transfers do not match cost ${cost}, ${earned}`
  const wanted = cost === 0n ? 'voided' : 'captured'
  return change.state === wanted ? undefined : `${name} is ${change.state} and not ${wanted}`
}

/** Whether the receipt that proves a settlement is there and says the same. */
function proofFault(
  { hold, change }: ClosingFacts,
  settlement: Settlement,
  options: VerifyOptions,
): string | undefined {
  const name = `hold ${hold.holdId}`
  const receipt = settlement.source === 'claim' ? hold.claim?.receipt : change.receipt
  if (receipt === undefined || receipt === '') return `${name} was captured without a receipt`
  if (options.readReceipt === undefined) return undefined
  try {
    const said = options.readReceipt(Buffer.from(receipt, 'base64url'))
    const isOwn = said.holdId === hold.holdId && said.provider === settlement.provider
    return isOwn && isSameUsage(said.usage, settlement.usage)
      ? undefined
      : `${name}: its receipt says something else`
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Free credit comes by the policy in force alone: once a day for an account, and never beyond the day's total. */
function allowanceFaults(
  state: LedgerState,
  changes: readonly Change[],
  transfers: readonly Transfer[],
): string[] {
  const faults: string[] = []
  const { policies, day, given } = state.freeTier
  const policy = policies.at(-1)
  let explained = 0n
  for (const change of changes) {
    if (change.type !== 'allowance') continue
    const { accountId, amount } = change
    const total = (change.day === day ? given : 0n) + amount
    explained += amount
    const isBounded =
      policy !== undefined && amount <= policy.dailyNanoUsd && total <= policy.globalDailyNanoUsd
    if (!isBounded) faults.push(`the allowance of ${accountId} is beyond the policy`)
    if (credited(transfers, freeAccount(accountId)) !== amount) {
      faults.push(`the allowance of ${accountId} is not what was credited`)
    }
  }
  if (amountOf(transfers.filter((each) => each.kind === 'allowance')) !== explained) {
    faults.push('an allowance was credited without being counted')
  }
  return faults
}

function addTotals(state: LedgerState, report: BooksReport): void {
  report.problems.push(...checkBooks(state.books))
  for (const { accountId } of state.accounts.values()) {
    const paid = totalsOf(state.books, paidAccount(accountId))
    const promo = totalsOf(state.books, promoAccount(accountId))
    const free = totalsOf(state.books, freeAccount(accountId))
    const maturing = totalsOf(state.books, maturingAccount(accountId))
    report.customersPaid += paid.creditsPosted - paid.debitsPosted
    report.customersPromo += promo.creditsPosted - promo.debitsPosted
    report.customersFree += free.creditsPosted - free.debitsPosted
    report.customersHeld += paid.debitsPending + promo.debitsPending + free.debitsPending
    report.providersMaturing += maturing.creditsPosted - maturing.debitsPosted
  }
  report.problems.push(...paymentProblems(state))
  let held = frozenByPayments(state)
  for (const holdId of state.openHolds) {
    for (const part of state.holds.get(holdId)?.parts ?? []) held += part.amount
  }
  if (held !== report.customersHeld) {
    report.problems.push(
      `holds, refunds and disputes come to ${held}, the accounts hold ${report.customersHeld}`,
    )
  }
  if (report.sumCaptured !== report.sumReceipts) {
    report.problems.push(
      `captures ${report.sumCaptured} differ from receipts ${report.sumReceipts}`,
    )
  }
}

function emptyReport(head: Head): BooksReport {
  return {
    problems: [],
    head,
    entries: 0,
    holds: { open: 0, captured: 0, voided: 0, expired: 0 },
    captures: 0,
    sumCaptured: 0n,
    sumReceipts: 0n,
    sumFees: 0n,
    sumProviderShares: 0n,
    customersPaid: 0n,
    customersPromo: 0n,
    customersFree: 0n,
    customersHeld: 0n,
    providersMaturing: 0n,
  }
}

function amountOf(transfers: readonly Transfer[]): NanoUsd {
  return transfers.reduce((sum, each) => sum + ('amount' in each ? each.amount : 0n), 0n)
}

function credited(transfers: readonly Transfer[], account: string): NanoUsd {
  return amountOf(transfers.filter((each) => 'credit' in each && each.credit === account))
}

function isSameUsage(a: Usage, b: Usage): boolean {
  return (
    a.promptTokens === b.promptTokens &&
    a.cachedTokens === b.cachedTokens &&
    a.completionTokens === b.completionTokens
  )
}
