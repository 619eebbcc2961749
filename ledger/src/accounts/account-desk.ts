import { LexoraError, type NanoUsd } from '@lexora/protocol'
import { totalsOf } from '../core/books.ts'
import { freeAccount, paidAccount, promoAccount } from '../core/chart.ts'
import type { Account, AccountKind, TermsVersion } from '../core/records.ts'
import {
  closeAccount,
  credit,
  membersOf,
  openAccount,
  publishTerms,
  setAccountState,
} from '../core/rules/accounts.ts'
import { type Earnings, earningsOf } from '../core/rules/earnings.ts'
import { keysOf } from '../core/rules/keys.ts'
import type { LedgerState } from '../core/state.ts'
import { checkCount, checkText, type Desk, newId } from '../desk.ts'
import type { RevocationListener } from './revocations.ts'

/** A customer's credit. `available` is what new holds can take. */
export interface Balance {
  /** What the last allowance has left; for the free tier's models only. */
  freeNanoUsd: NanoUsd
  promoNanoUsd: NanoUsd
  paidNanoUsd: NanoUsd
  heldNanoUsd: NanoUsd
  availableNanoUsd: NanoUsd
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
  /**
   * Refuses new holds, keys and certificates of the account, until it is resumed or until a time (Unix ms). Gateways
   * are told at once and cancel what runs. Throws `not_found`, `invalid_request`, `conflict` for a closed one.
   */
  suspendAccount(accountId: string, reason: string, resumesAtMs?: number): Promise<Account>
  /** Undoes {@link AccountDesk.suspendAccount}. Throws `not_found`. */
  resumeAccount(accountId: string): Promise<Account>
  /** For good; what its running requests cost is settled. Throws `not_found`. */
  closeAccount(accountId: string, reason: string): Promise<Account>
  /** Asks everybody who signed up to accept new terms. Throws `invalid_request`, `conflict`. */
  publishTerms(terms: TermsVersion): Promise<TermsVersion>
  /** Every version, oldest first; the last one is in force. */
  listTerms(): TermsVersion[]
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
export function createAccountDesk(desk: Desk, announce: RevocationListener): AccountDesk {
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
    async suspendAccount(accountId, reason, resumesAtMs) {
      checkText(reason, 'reason')
      const serials = serialsOf(state, accountId)
      const until = resumesAtMs === undefined ? {} : { resumesAtMs }
      const command = { accountId, suspendedFor: reason, ...until }
      const account = await writer.submit(setAccountState, command)
      log.info({ accountId, reason }, 'account suspended')
      announce({ keyHashes: keyHashesOf(state, accountId), serials })
      return account
    },
    async resumeAccount(accountId) {
      const account = await writer.submit(setAccountState, { accountId })
      log.info({ accountId }, 'account resumed')
      return account
    },
    async closeAccount(accountId, reason) {
      checkText(reason, 'reason')
      const serials = serialsOf(state, accountId)
      const account = await writer.submit(closeAccount, { accountId, reason })
      log.info({ accountId, reason }, 'account closed')
      announce({ keyHashes: keyHashesOf(state, accountId), serials })
      return account
    },
    async publishTerms(terms) {
      checkText(terms.url, 'url')
      checkCount(terms.version, 'version', { min: 1, max: 0xffff_ffff })
      if (!/^[0-9a-f]{64}$/.test(terms.sha256)) {
        throw new LexoraError('invalid_request', 'sha256 must be 64 hex digits')
      }
      return writer.submit(publishTerms, terms)
    },
    listTerms: () => [...state.terms],
    grant: (request) => enterCredit('grant', request),
    deposit: (request) => enterCredit('deposit', request),
    balance(accountId) {
      requireAccount(state, accountId)
      return balanceOf(state, accountId)
    },
    providerEarnings(accountId) {
      requireAccount(state, accountId)
      return earningsOf(state, accountId)
    },
  }
}

/** A customer's credit as the books have it. */
export function balanceOf(state: LedgerState, accountId: string): Balance {
  const promo = totalsOf(state.books, promoAccount(accountId))
  const paid = totalsOf(state.books, paidAccount(accountId))
  const free = totalsOf(state.books, freeAccount(accountId))
  const freeNanoUsd = free.creditsPosted - free.debitsPosted
  const promoNanoUsd = promo.creditsPosted - promo.debitsPosted
  const paidNanoUsd = paid.creditsPosted - paid.debitsPosted
  const heldNanoUsd = promo.debitsPending + paid.debitsPending + free.debitsPending
  const availableNanoUsd = promoNanoUsd + paidNanoUsd + freeNanoUsd - heldNanoUsd
  return { freeNanoUsd, promoNanoUsd, paidNanoUsd, heldNanoUsd, availableNanoUsd }
}

function serialsOf(state: LedgerState, accountId: string): number[] {
  return membersOf(state, accountId).map((member) => member.serial)
}

function keyHashesOf(state: LedgerState, accountId: string): Uint8Array[] {
  const keys = keysOf(state, accountId).filter((key) => key.revokedAtMs === undefined)
  return keys.map((key) => Buffer.from(key.hash, 'hex'))
}

function requireAccount(state: LedgerState, accountId: string): void {
  if (state.accounts.has(accountId)) return
  throw new LexoraError('not_found', 'there is no such account', { facts: { accountId } })
}
