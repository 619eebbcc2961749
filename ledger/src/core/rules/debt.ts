import type { NanoUsd } from '@lexora/protocol'
import { availableIn, type Transfer, totalsOf } from '../books.ts'
import { CLEARING_ACCOUNT, debtAccount, paidAccount } from '../chart.ts'
import type { Change } from '../entry.ts'
import type { LedgerState } from '../state.ts'

/** Why an account is suspended until its debt is paid. Only this reason ends with the debt. */
export const DEBT_REASON = 'a payment was taken back after it had been spent'

/** What a customer owes. */
function debtOf(state: LedgerState, accountId: string): NanoUsd {
  const { debitsPosted, creditsPosted } = totalsOf(state.books, debtAccount(accountId))
  return debitsPosted - creditsPosted
}

/** What a movement did, for the record of whatever caused it. */
export interface Split {
  changes: Change[]
  /** To or from the credit. */
  credit: NanoUsd
  /** To or from the debt. */
  debt: NanoUsd
}

/** Takes money out that the payment company has taken from us: from the credit as far as it goes, the rest is owed. */
export function takeBack(
  state: LedgerState,
  accountId: string,
  { id, amount, freed = 0n }: { id: string; amount: NanoUsd; freed?: NanoUsd },
): Split {
  // `freed` was reserved for this and is released by the same group.
  const available = availableIn(state.books, paidAccount(accountId)) + freed
  const credit = available < amount ? available : amount
  const debt = amount - credit
  const transfers: Transfer[] = []
  if (credit > 0n) {
    const debit = paidAccount(accountId)
    transfers.push({ id, kind: 'chargeback', debit, credit: CLEARING_ACCOUNT, amount: credit })
  }
  if (debt === 0n) return { changes: moved(transfers), credit, debt }
  const debit = debtAccount(accountId)
  transfers.push({ id: `${id}/debt`, kind: 'debt', debit, credit: CLEARING_ACCOUNT, amount: debt })
  const changes = moved(transfers)
  if (state.accounts.get(accountId)?.state === 'active') {
    changes.push({ type: 'accountState', accountId, state: 'suspended', reason: DEBT_REASON })
  }
  return { changes, credit, debt }
}

/** Puts money in that has arrived: it pays the debt first, and ends a suspension for it. */
export function bringIn(
  state: LedgerState,
  accountId: string,
  { id, amount, kind }: { id: string; amount: NanoUsd; kind: 'topup' | 'chargeback_return' },
): Split {
  const owed = debtOf(state, accountId)
  const debt = owed < amount ? owed : amount
  const credit = amount - debt
  const from = { debit: CLEARING_ACCOUNT }
  const transfers: Transfer[] = []
  if (credit > 0n) {
    transfers.push({ id, kind, ...from, credit: paidAccount(accountId), amount: credit })
  }
  if (debt === 0n) return { changes: moved(transfers), credit, debt }
  const to = { credit: debtAccount(accountId), amount: debt }
  transfers.push({ id: `${id}/debt`, kind: 'repayment', ...from, ...to })
  const changes = moved(transfers)
  const account = state.accounts.get(accountId)
  if (debt === owed && account?.state === 'suspended' && account.reason === DEBT_REASON) {
    changes.push({ type: 'accountState', accountId, state: 'active' })
  }
  return { changes, credit, debt }
}

function moved(transfers: Transfer[]): Change[] {
  return transfers.length === 0 ? [] : [{ type: 'transfers', transfers }]
}
