import { assert } from '@lexora/protocol'
import {
  ACCOUNT_BOUNDS,
  AMOUNT_MAX,
  bookAccountKind,
  MOVE_RULES,
  type MoveKind,
  SETTLE_ACCOUNT,
} from './chart.ts'
import type { Refusal } from './refusal.ts'
import { Table } from './table.ts'

/** The four totals of one account, in nano-USD. They only ever grow, but for the pending ones. */
export interface Totals {
  debitsPosted: bigint
  creditsPosted: bigint
  debitsPending: bigint
  creditsPending: bigint
}

/** Moves money from the debit to the credit account, at once or (kind `hold`) as a reservation. */
export interface Move {
  /** Made by the caller; the idempotency key. */
  id: string
  kind: MoveKind
  debit: string
  credit: string
  amount: bigint
}

/** Takes part or all of a reservation; the rest of it is free again. */
export interface Capture {
  id: string
  kind: 'capture'
  pendingId: string
  amount: bigint
}

/** Ends a reservation without taking anything: on somebody's word (`void`) or by time (`expiry`). */
export interface Release {
  id: string
  kind: 'void' | 'expiry'
  pendingId: string
}

/** Immutable: a correction is another transfer. */
export type Transfer = Move | Capture | Release

interface Entered {
  transfer: Transfer
  /** The id of the capture, void or expiry that ended this reservation. */
  resolvedBy?: string
}

/** All accounts and transfers. An account exists from its first transfer on. */
export interface Books {
  accounts: Map<string, Totals>
  transfers: Map<string, Entered>
}

/** Empty books. */
export function createBooks(): Books {
  return { accounts: new Table(), transfers: new Table() }
}

const ZERO: Readonly<Totals> = {
  debitsPosted: 0n,
  creditsPosted: 0n,
  debitsPending: 0n,
  creditsPending: 0n,
}

/** The totals of an account; zeros where nothing was ever entered. A copy. */
export function totalsOf(books: Books, account: string): Totals {
  return { ...(books.accounts.get(account) ?? ZERO) }
}

/** What a credit-normal account can still spend: posted minus reserved. */
export function availableIn(books: Books, account: string): bigint {
  const totals = books.accounts.get(account) ?? ZERO
  return totals.creditsPosted - totals.debitsPosted - totals.debitsPending
}

interface Draft {
  books: Books
  accounts: Map<string, Totals>
  transfers: Map<string, Entered>
}

/**
 * Enters a linked group of transfers: all of them, or none and the refusal. The same group again changes nothing.
 * Steps: refuse or accept repeats; try every transfer on a draft; assert the draft; make it real.
 * Refuses with `conflict` (an id with other content), `invalid_request` (amount, kind or account), `not_found` (no
 * such reservation), `hold_closed` (already resolved) or `insufficient_credit` (an account would go below zero).
 */
export function enterTransfers(books: Books, group: readonly Transfer[]): Refusal | undefined {
  const known = group.filter((transfer) => books.transfers.has(transfer.id))
  const conflict = known.find((transfer) => !isSame(books.transfers.get(transfer.id), transfer))
  if (conflict !== undefined || (known.length > 0 && known.length < group.length)) {
    return refusal('conflict', 'this transfer id was used with other content', known[0]?.id)
  }
  if (known.length > 0) return undefined

  const draft: Draft = { books, accounts: new Map(), transfers: new Map() }
  for (const transfer of group) {
    const refused = enterOne(draft, transfer)
    if (refused !== undefined) return refused
  }
  assertDraft(draft)
  for (const [name, totals] of draft.accounts) books.accounts.set(name, totals)
  for (const [id, entered] of draft.transfers) books.transfers.set(id, entered)
  return undefined
}

function enterOne(draft: Draft, transfer: Transfer): Refusal | undefined {
  if (draft.transfers.has(transfer.id)) {
    return refusal('conflict', 'a group names the same transfer id twice', transfer.id)
  }
  const refused = 'pendingId' in transfer ? resolve(draft, transfer) : move(draft, transfer)
  if (refused === undefined) draft.transfers.set(transfer.id, { transfer: { ...transfer } })
  return refused
}

function move(draft: Draft, transfer: Move): Refusal | undefined {
  const rule = MOVE_RULES[transfer.kind]
  const debitKind = bookAccountKind(transfer.debit)
  const creditKind = bookAccountKind(transfer.credit)
  if (debitKind === undefined || creditKind === undefined) {
    return refusal('invalid_request', 'no such account in the chart', transfer.id)
  }
  if (!rule.debit.includes(debitKind) || !rule.credit.includes(creditKind)) {
    const way = `${debitKind} to ${creditKind}`
    return refusal('invalid_request', `a ${transfer.kind} does not go from ${way}`, transfer.id)
  }
  if (transfer.amount <= 0n || transfer.amount > AMOUNT_MAX) {
    return refusal('invalid_request', 'an amount must be above 0 and at most 2^62', transfer.id)
  }
  const debit = draftTotals(draft, transfer.debit)
  const credit = draftTotals(draft, transfer.credit)
  if (rule.phase === 'pending') {
    debit.debitsPending += transfer.amount
    credit.creditsPending += transfer.amount
  } else {
    debit.debitsPosted += transfer.amount
    credit.creditsPosted += transfer.amount
  }
  if (ACCOUNT_BOUNDS[debitKind] === 'covered' && spendable(debit) < 0n) {
    return refusal('insufficient_credit', 'the debited account does not hold enough', transfer.id)
  }
  return undefined
}

function resolve(draft: Draft, transfer: Capture | Release): Refusal | undefined {
  const { pendingId } = transfer
  const entered = draft.transfers.get(pendingId) ?? draft.books.transfers.get(pendingId)
  const pending = entered?.transfer
  if (pending === undefined || !isPending(pending)) {
    return refusal('not_found', 'there is no such reservation', transfer.id)
  }
  if (entered?.resolvedBy !== undefined) {
    return refusal('hold_closed', 'this reservation has ended before', transfer.id)
  }
  const amount = transfer.kind === 'capture' ? transfer.amount : 0n
  if (transfer.kind === 'capture' && (amount <= 0n || amount > pending.amount)) {
    return refusal(
      'invalid_request',
      'a capture takes more than 0 and at most the hold',
      transfer.id,
    )
  }
  const debit = draftTotals(draft, pending.debit)
  const credit = draftTotals(draft, pending.credit)
  debit.debitsPending -= pending.amount
  credit.creditsPending -= pending.amount
  debit.debitsPosted += amount
  credit.creditsPosted += amount
  draft.transfers.set(pendingId, { transfer: pending, resolvedBy: transfer.id })
  return undefined
}

/** "Cannot happen" checks on everything that a group touched; one that fails means the code above is wrong. */
function assertDraft(draft: Draft): void {
  let posted = 0n
  let pending = 0n
  for (const [name, totals] of draft.accounts) {
    const before = draft.books.accounts.get(name) ?? ZERO
    posted += totals.debitsPosted - before.debitsPosted
    posted -= totals.creditsPosted - before.creditsPosted
    pending += totals.debitsPending - before.debitsPending
    pending -= totals.creditsPending - before.creditsPending
    assertTotals(name, totals)
  }
  assert(posted === 0n, 'posted debits equal posted credits')
  assert(pending === 0n, 'pending debits equal pending credits')
}

function assertTotals(name: string, totals: Totals): void {
  const kind = bookAccountKind(name)
  assert(kind !== undefined, `the chart knows ${name}`)
  assert(
    totals.debitsPending >= 0n && totals.creditsPending >= 0n,
    `${name} has no negative pending total`,
  )
  const bound = ACCOUNT_BOUNDS[kind]
  assert(bound !== 'covered' || spendable(totals) >= 0n, `${name} is not below zero`)
  assert(
    bound !== 'owing' || totals.creditsPosted <= totals.debitsPosted,
    `${name} is not above zero`,
  )
  if (name === SETTLE_ACCOUNT)
    assert(spendable(totals) === 0n, 'platform:settle is zero after a group')
}

/** Adds everything up from scratch. One line per thing that is wrong; empty for books that balance. */
export function checkBooks(books: Books): string[] {
  const problems: string[] = []
  const sum: Totals = { ...ZERO }
  for (const [name, totals] of books.accounts) {
    sum.debitsPosted += totals.debitsPosted
    sum.creditsPosted += totals.creditsPosted
    sum.debitsPending += totals.debitsPending
    sum.creditsPending += totals.creditsPending
    try {
      assertTotals(name, totals)
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error))
    }
  }
  if (sum.debitsPosted !== sum.creditsPosted) {
    problems.push(
      `posted debits ${sum.debitsPosted} differ from posted credits ${sum.creditsPosted}`,
    )
  }
  if (sum.debitsPending !== sum.creditsPending) {
    problems.push(
      `pending debits ${sum.debitsPending} differ from pending credits ${sum.creditsPending}`,
    )
  }
  return problems
}

function draftTotals(draft: Draft, name: string): Totals {
  const drafted = draft.accounts.get(name)
  if (drafted !== undefined) return drafted
  const totals = totalsOf(draft.books, name)
  draft.accounts.set(name, totals)
  return totals
}

function spendable(totals: Totals): bigint {
  return totals.creditsPosted - totals.debitsPosted - totals.debitsPending
}

function isPending(transfer: Transfer): transfer is Move {
  return !('pendingId' in transfer) && MOVE_RULES[transfer.kind].phase === 'pending'
}

function isSame(entered: Entered | undefined, transfer: Transfer): boolean {
  if (entered === undefined) return false
  const before: Record<string, unknown> = { ...entered.transfer }
  const now: Record<string, unknown> = { ...transfer }
  const fields = Object.keys(before)
  return (
    fields.length === Object.keys(now).length &&
    fields.every((field) => before[field] === now[field])
  )
}

function refusal(code: Refusal['code'], message: string, transfer = ''): Refusal {
  return { code, message, facts: { transfer } }
}
