import { LexoraError, type NanoUsd } from '@lexora/protocol'
import { totalsOf } from '../core/books.ts'
import { maturingAccount, paidAccount, payableAccount, promoAccount } from '../core/chart.ts'
import type { Account, AccountKind } from '../core/records.ts'
import { credit, openAccount, setAccountState } from '../core/rules/accounts.ts'
import type { LedgerState } from '../core/state.ts'
import { checkText, type Desk, newId } from '../desk.ts'

/** A customer's credit. `available` is what new holds can take. */
export interface Balance {
  promoNanoUsd: NanoUsd
  paidNanoUsd: NanoUsd
  heldNanoUsd: NanoUsd
  availableNanoUsd: NanoUsd
}

/** What a provider has earned. */
export interface Earnings {
  maturingNanoUsd: NanoUsd
  payableNanoUsd: NanoUsd
}

/** A credit and the id that makes a repeat of it harmless. */
export interface CreditRequest {
  accountId: string
  amount: NanoUsd
  id: string
}

/** Accounts and the credit that operators put on them. */
export interface AccountDesk {
  /** Throws `invalid_request`. */
  createAccount(request: { kind: AccountKind; label: string }): Promise<Account>
  /** Oldest first. */
  listAccounts(): Account[]
  /** Refuses new holds, keys and certificates of the account until it is resumed. Throws `not_found`. */
  suspendAccount(accountId: string, reason: string): Promise<Account>
  /** Undoes {@link AccountDesk.suspendAccount}. Throws `not_found`. */
  resumeAccount(accountId: string): Promise<Account>
  /** Promotional credit. Throws `not_found`, `invalid_request`, `conflict`, `storage_full`. */
  grant(request: CreditRequest): Promise<{ repeated: boolean; balance: Balance }>
  /** Bought credit, entered by an operator. Throws as {@link AccountDesk.grant}, but never `storage_full`. */
  deposit(request: CreditRequest): Promise<{ repeated: boolean; balance: Balance }>
  /** Throws `not_found`. */
  balance(accountId: string): Balance
  /** Throws `not_found`. */
  providerEarnings(accountId: string): Earnings
}

/** The part of the service that keeps accounts. */
export function createAccountDesk(desk: Desk): AccountDesk {
  const { writer, state, log } = desk

  async function enterCredit(kind: 'grant' | 'deposit', request: CreditRequest) {
    checkText(request.id, 'id')
    const command = { ...request, kind, isStorageLow: desk.isStorageLow() }
    const { repeated } = await writer.submit(credit, command)
    const { accountId, id } = request
    if (!repeated) log.info({ accountId, kind, id, amount: request.amount.toString() }, 'credited')
    return { repeated, balance: balanceOf(state, accountId) }
  }

  return {
    async createAccount({ kind, label }) {
      checkText(label, 'label')
      return writer.submit(openAccount, { accountId: newId(desk, 'acc'), kind, label })
    },
    listAccounts: () => [...state.accounts.values()],
    async suspendAccount(accountId, reason) {
      checkText(reason, 'reason')
      const account = await writer.submit(setAccountState, { accountId, suspendedFor: reason })
      log.info({ accountId, reason }, 'account suspended')
      return account
    },
    async resumeAccount(accountId) {
      const account = await writer.submit(setAccountState, { accountId })
      log.info({ accountId }, 'account resumed')
      return account
    },
    grant: (request) => enterCredit('grant', request),
    deposit: (request) => enterCredit('deposit', request),
    balance(accountId) {
      requireAccount(state, accountId)
      return balanceOf(state, accountId)
    },
    providerEarnings(accountId) {
      requireAccount(state, accountId)
      const maturing = totalsOf(state.books, maturingAccount(accountId))
      const payable = totalsOf(state.books, payableAccount(accountId))
      return {
        maturingNanoUsd: maturing.creditsPosted - maturing.debitsPosted,
        payableNanoUsd: payable.creditsPosted - payable.debitsPosted,
      }
    },
  }
}

/** A customer's credit as the books have it. */
export function balanceOf(state: LedgerState, accountId: string): Balance {
  const promo = totalsOf(state.books, promoAccount(accountId))
  const paid = totalsOf(state.books, paidAccount(accountId))
  const promoNanoUsd = promo.creditsPosted - promo.debitsPosted
  const paidNanoUsd = paid.creditsPosted - paid.debitsPosted
  const heldNanoUsd = promo.debitsPending + paid.debitsPending
  const availableNanoUsd = promoNanoUsd + paidNanoUsd - heldNanoUsd
  return { promoNanoUsd, paidNanoUsd, heldNanoUsd, availableNanoUsd }
}

function requireAccount(state: LedgerState, accountId: string): void {
  if (state.accounts.has(accountId)) return
  throw new LexoraError('not_found', 'there is no such account', { facts: { accountId } })
}
