import type { NanoUsd } from '@lexora/protocol'
import { allowanceExpiryId, allowanceId, type FreeTierPolicy } from '../allowance.ts'
import { availableIn, type Transfer, totalsOf } from '../books.ts'
import { freeAccount, PROMO_COST_ACCOUNT } from '../chart.ts'
import type { Change } from '../entry.ts'
import type { Account } from '../records.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import { spanIndex } from '../spending.ts'
import type { LedgerState } from '../state.ts'
import { noAccount } from './accounts.ts'

/** Most changes of the policy: one a day for ten years. */
const POLICIES_MAX = 3_650

/**
 * Why an account has nothing free: nobody has (`off`), the model is not free, the mail address is not proved, others
 * with the same device or address have it (`shared`; an operator can allow it), an operator has said no, or all of the
 * day's is given away.
 */
export type FreeTierRefusal =
  | 'off'
  | 'model_not_free'
  | 'not_verified'
  | 'shared'
  | 'refused'
  | 'exhausted'

/** What an account may spend for free now. */
export interface FreeCredit {
  available: NanoUsd
  /** Reserved by running requests. */
  held: NanoUsd
  /** Why it is nothing. */
  why?: FreeTierRefusal
  /** To be entered with the hold that spends of it: the day's allowance in place of what was left. */
  changes: Change[]
}

/** What an account may spend for free on a model now. The day's allowance comes with the first hold of the day. */
export function freeCredit(
  state: LedgerState,
  wanted: { accountId: string; model: string },
  nowMs: number,
): FreeCredit {
  const { accountId, model } = wanted
  const policy = state.freeTier.policies.at(-1)
  const account = state.accounts.get(accountId)
  if (policy === undefined || policy.dailyNanoUsd === 0n) return nothing('off')
  if (!policy.models.includes(model)) return nothing('model_not_free')
  const why = eligibility(state, account, policy)
  if (why !== undefined) return nothing(why)
  const name = freeAccount(accountId)
  const left = availableIn(state.books, name)
  const held = totalsOf(state.books, name).debitsPending
  const { freeTier } = state
  // A clock that went back opens no day again.
  const day = Math.max(spanIndex('day', nowMs), freeTier.day)
  if (freeTier.days.get(accountId) === day) return { available: left, held, changes: [] }
  const given = freeTier.day === day ? freeTier.given : 0n
  const room = policy.globalDailyNanoUsd - given
  const amount = room < policy.dailyNanoUsd ? room : policy.dailyNanoUsd
  if (amount <= 0n) return nothing('exhausted')
  return { available: amount, held, changes: renewal(accountId, { day, left, amount }) }
}

function nothing(why: FreeTierRefusal): FreeCredit {
  return { available: 0n, held: 0n, why, changes: [] }
}

function renewal(
  accountId: string,
  { day, left, amount }: { day: number; left: NanoUsd; amount: NanoUsd },
): Change[] {
  const account = freeAccount(accountId)
  const transfers: Transfer[] = []
  if (left > 0n) {
    transfers.push({
      id: allowanceExpiryId(accountId, day),
      kind: 'allowance_expiry',
      debit: account,
      credit: PROMO_COST_ACCOUNT,
      amount: left,
    })
  }
  transfers.push({
    id: allowanceId(accountId, day),
    kind: 'allowance',
    debit: PROMO_COST_ACCOUNT,
    credit: account,
    amount,
  })
  return [
    { type: 'transfers', transfers },
    { type: 'allowance', accountId, day, amount },
  ]
}

/** Why an account may not have the allowance, or undefined. The earliest accounts of a device or address keep it. */
function eligibility(
  state: LedgerState,
  account: Account | undefined,
  policy: FreeTierPolicy,
): FreeTierRefusal | undefined {
  if (account?.verifiedAtMs === undefined || account.kind !== 'developer') return 'not_verified'
  if (account.freeTier === 'allowed') return undefined
  if (account.freeTier === 'refused') return 'refused'
  const { accountId, signals = [] } = account
  const isShared = signals.some((signal) => {
    const sharers = state.signalAccounts.get(signal) ?? []
    return !sharers.slice(0, policy.accountsPerSignalMax).includes(accountId)
  })
  return isShared ? 'shared' : undefined
}

/** Accounts that share a device or an address with earlier ones, for an operator to look at. */
export function accountsUnderReview(state: LedgerState, lengthMax: number): Account[] {
  const policy = state.freeTier.policies.at(-1)
  if (policy === undefined) return []
  const found = new Set<string>()
  for (const sharers of state.signalAccounts.values()) {
    for (const accountId of sharers.slice(policy.accountsPerSignalMax)) found.add(accountId)
  }
  const accounts = [...found].map((accountId) => state.accounts.get(accountId))
  return accounts
    .filter((account): account is Account => account?.state === 'active')
    .filter((account) => account.freeTier === undefined)
    .slice(0, lengthMax)
}

/** Puts a policy into force. What was given today stays given. */
export function setFreeTier(state: LedgerState, policy: FreeTierPolicy): Decision<FreeTierPolicy> {
  const { dailyNanoUsd, globalDailyNanoUsd, accountsPerSignalMax } = policy
  if (dailyNanoUsd < 0n || globalDailyNanoUsd < 0n) {
    return refuse('invalid_request', 'an allowance is at least 0')
  }
  if (!Number.isSafeInteger(accountsPerSignalMax) || accountsPerSignalMax < 1) {
    return refuse('invalid_request', 'at least one account has each device')
  }
  if (state.freeTier.policies.length >= POLICIES_MAX) {
    return refuse('conflict', 'the policy was changed too often')
  }
  return accept(policy, [{ type: 'freeTierPolicy', policy }])
}

/** Enters an operator's word on whether an account gets the allowance. */
export function decideFreeTier(
  state: LedgerState,
  command: { accountId: string; word: 'allowed' | 'refused' },
): Decision<Account> {
  const account = state.accounts.get(command.accountId)
  if (account === undefined) return noAccount(command.accountId)
  const { accountId, word } = command
  if (account.freeTier === word) return accept(account)
  return accept({ ...account, freeTier: word }, [{ type: 'freeTierWord', accountId, word }])
}
