import type { NanoUsd } from '@lexora/protocol'
import type { Move } from '../books.ts'
import { CLEARING_ACCOUNT, PROMO_COST_ACCOUNT, paidAccount, promoAccount } from '../chart.ts'
import type { Change } from '../entry.ts'
import type { Account, Member, TermsVersion } from '../records.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import type { LedgerState } from '../state.ts'

/** Most accounts: what one ledger process can keep in memory with room to spare (about 1 KB each). */
const ACCOUNTS_MAX = 1_000_000
/** Most versions of the terms: one a week for twenty years. */
const TERMS_MAX = 1_000

/** What makes an account, but for what the ledger says itself. */
export type NewAccount = Omit<Account, 'state' | 'createdAtMs' | 'reason' | 'resumesAtMs'>

/** Opens an account. The caller makes the id. */
export function openAccount(
  state: LedgerState,
  account: NewAccount,
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

/** Whether an account may do anything now. A suspension with an end lapses by itself. */
export function isActive(account: Account | undefined, nowMs: number): boolean {
  if (account === undefined || account.state === 'closed') return false
  return account.state === 'active' || (account.resumesAtMs ?? Number.POSITIVE_INFINITY) <= nowMs
}

/** The refusal for an account that may do nothing now. */
export function refuseInactive(account: Account | undefined): ReturnType<typeof refuse> {
  const isClosed = account?.state === 'closed'
  return refuse('account_suspended', `the account is ${isClosed ? 'closed' : 'suspended'}`)
}

/** Suspends an account with a reason, or resumes it. */
export interface AccountStateCommand {
  accountId: string
  /** Absent: resumes it. */
  suspendedFor?: string
  /** When the suspension ends by itself, Unix ms. */
  resumesAtMs?: number
}

/** Suspends an account with a reason, or resumes it. A closed one stays closed. */
export function setAccountState(
  state: LedgerState,
  command: AccountStateCommand,
  nowMs: number,
): Decision<Account> {
  const account = state.accounts.get(command.accountId)
  if (account === undefined) return noAccount(command.accountId)
  if (account.state === 'closed') return refuse('conflict', 'a closed account stays closed')
  const { suspendedFor, resumesAtMs } = command
  if (suspendedFor === undefined) return changeState(state, account, { state: 'active' })
  if (resumesAtMs === undefined) {
    return changeState(state, account, { state: 'suspended', reason: suspendedFor })
  }
  if (resumesAtMs <= nowMs) return refuse('invalid_request', 'the suspension would be over already')
  return changeState(state, account, { state: 'suspended', reason: suspendedFor, resumesAtMs })
}

/** Closes an account for good. What its running requests cost is still settled. */
export function closeAccount(
  state: LedgerState,
  command: { accountId: string; reason: string },
): Decision<Account> {
  const account = state.accounts.get(command.accountId)
  if (account === undefined) return noAccount(command.accountId)
  if (account.state === 'closed') return accept(account)
  return changeState(state, account, { state: 'closed', reason: command.reason })
}

type StateOfAccount = Pick<Account, 'state' | 'reason' | 'resumesAtMs'>

/** Certificates live on for an hour: members of an account that stops get new serials, so that the old ones can be revoked. */
function changeState(
  state: LedgerState,
  account: Account,
  wanted: StateOfAccount,
): Decision<Account> {
  const isSame =
    account.state === wanted.state &&
    account.reason === wanted.reason &&
    account.resumesAtMs === wanted.resumesAtMs
  if (isSame) return accept(account)
  const { reason: _, resumesAtMs: __, ...rest } = account
  const { accountId } = account
  const changes: Change[] = [{ type: 'accountState', accountId, ...wanted }]
  const members = wanted.state === 'active' ? [] : membersOf(state, accountId)
  members.forEach(({ peerId }, index) => {
    changes.push({ type: 'memberReissued', peerId, serial: state.serialLast + 1 + index })
  })
  return accept({ ...rest, ...wanted }, changes)
}

/** The members of an account that were not revoked. */
export function membersOf(state: LedgerState, accountId: string): Member[] {
  return [...state.members.values()].filter(
    (member) => member.accountId === accountId && member.revokedAtMs === undefined,
  )
}

/** Enters that the owner has proved the mail address. Again is harmless. */
export function verifyAccount(
  state: LedgerState,
  command: { accountId: string },
): Decision<Account> {
  const account = state.accounts.get(command.accountId)
  if (account === undefined) return noAccount(command.accountId)
  if (account.verifiedAtMs !== undefined) return accept(account)
  return accept(account, [{ type: 'accountVerified', accountId: account.accountId }])
}

/** Puts new terms into force: everybody who signed up is asked again. */
export function publishTerms(state: LedgerState, terms: TermsVersion): Decision<TermsVersion> {
  const last = state.terms.at(-1)?.version ?? 0
  if (terms.version <= last) {
    return refuse('conflict', `the version must be above ${last}`, { version: terms.version, last })
  }
  if (state.terms.length >= TERMS_MAX) return refuse('conflict', 'there are too many versions')
  return accept(terms, [{ type: 'terms', terms }])
}

/** Enters that the owner accepts the terms in force. */
export function acceptTerms(
  state: LedgerState,
  command: { accountId: string; version: number },
): Decision<Account> {
  const account = state.accounts.get(command.accountId)
  if (account === undefined) return noAccount(command.accountId)
  const version = state.terms.at(-1)?.version ?? 0
  if (command.version !== version) {
    return refuse('conflict', 'these are not the terms in force', { version })
  }
  if (account.terms?.version === version) return accept(account)
  const { accountId } = account
  return accept(account, [{ type: 'termsAccepted', accountId, version }])
}

/** The version of the terms that the owner of an account must still accept, or undefined. */
export function termsDue(state: LedgerState, account: Account): number | undefined {
  const version = state.terms.at(-1)?.version
  const isSignedUp = account.adult !== undefined
  return isSignedUp && version !== account.terms?.version ? version : undefined
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
