import type { NanoUsd } from '@lexora/protocol'
import type { Move } from '../books.ts'
import { CLEARING_ACCOUNT, PROMO_COST_ACCOUNT, paidAccount, promoAccount } from '../chart.ts'
import type { Account } from '../records.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import type { LedgerState } from '../state.ts'

/** Most accounts: what one ledger process can keep in memory with room to spare (about 1 KB each). */
const ACCOUNTS_MAX = 1_000_000

/** Opens an account. The caller makes the id. */
export function openAccount(
  state: LedgerState,
  account: Omit<Account, 'state' | 'createdAtMs' | 'reason'>,
  nowMs: number,
): Decision<Account> {
  if (state.accounts.has(account.accountId)) {
    return refuse('conflict', 'this account id is taken', { accountId: account.accountId })
  }
  if (state.accounts.size >= ACCOUNTS_MAX) {
    return refuse('conflict', 'the ledger has as many accounts as it can keep', {
      max: ACCOUNTS_MAX,
    })
  }
  const opened: Account = { ...account, state: 'active', createdAtMs: nowMs }
  return accept(opened, [{ type: 'account', account: opened }])
}

/** Suspends an account with a reason, or resumes it. */
export function setAccountState(
  state: LedgerState,
  command: { accountId: string; suspendedFor?: string },
): Decision<Account> {
  const account = state.accounts.get(command.accountId)
  if (account === undefined) return noAccount(command.accountId)
  const { accountId, suspendedFor } = command
  const { reason: _, ...rest } = account
  const wanted: Account =
    suspendedFor === undefined
      ? { ...rest, state: 'active' }
      : { ...rest, state: 'suspended', reason: suspendedFor }
  if (account.state === wanted.state && account.reason === wanted.reason) return accept(account)
  const reason = suspendedFor === undefined ? {} : { reason: suspendedFor }
  return accept(wanted, [{ type: 'accountState', accountId, state: wanted.state, ...reason }])
}

/** A credit to a customer. */
export interface CreditCommand {
  /** `grant` is promotional, `deposit` is bought. */
  kind: 'grant' | 'deposit'
  /** Made by the caller: what makes a repeat harmless. */
  id: string
  accountId: string
  amount: NanoUsd
  /** Too little room on the disk for new promises. */
  isStorageLow: boolean
}

/** Credits a customer's account once, however often the same command comes. */
export function credit(
  state: LedgerState,
  command: CreditCommand,
): Decision<{ repeated: boolean }> {
  const { kind, accountId, amount } = command
  const account = state.accounts.get(accountId)
  if (account === undefined) return noAccount(accountId)
  if (account.kind !== 'developer') {
    return refuse('invalid_request', `a ${account.kind} account holds no credit`, { accountId })
  }
  const move: Move = {
    id: `${kind}:${command.id}`,
    kind,
    debit: kind === 'grant' ? PROMO_COST_ACCOUNT : CLEARING_ACCOUNT,
    credit: kind === 'grant' ? promoAccount(accountId) : paidAccount(accountId),
    amount,
  }
  const before = state.books.transfers.get(move.id)?.transfer
  if (before !== undefined) {
    return 'credit' in before && before.credit === move.credit && before.amount === amount
      ? accept({ repeated: true })
      : refuse('conflict', 'this id was used for another credit', { id: command.id })
  }
  // A deposit is money that has arrived already; only promises wait for room.
  if (kind === 'grant' && command.isStorageLow) {
    return refuse('storage_full', 'the ledger is short of disk space and makes no new promises')
  }
  return accept({ repeated: false }, [{ type: 'transfers', transfers: [move] }])
}

/** The refusal for an account id that nobody has. */
export function noAccount(accountId: string): ReturnType<typeof refuse> {
  return refuse('not_found', 'there is no such account', { accountId })
}
