/**
 * The chart of accounts and the table of transfer kinds. What money may ever do is these two tables: a new flow is a
 * new row here first.
 */

/** Where money sits. Names follow the pattern of the kind, with the owner's account id in the middle. */
export type BookAccountKind =
  | 'customer:paid'
  | 'customer:promo'
  | 'customer:free'
  | 'customer:debt'
  | 'provider:maturing'
  | 'provider:payable'
  | 'platform:settle'
  | 'platform:fees'
  | 'platform:promo_cost'
  | 'platform:reversals'
  | 'clearing:payments'
  | 'clearing:payouts'

/**
 * `covered`: owed to somebody, so `creditsPosted - debitsPosted - debitsPending` never goes below zero.
 * `owing`: owed to us, so posted credits never exceed posted debits.
 * `free`: mirrors the outside world or counts income and cost, and may have either sign.
 */
export type AccountBound = 'covered' | 'owing' | 'free'

/** The bound of each kind of account. */
export const ACCOUNT_BOUNDS: Readonly<Record<BookAccountKind, AccountBound>> = {
  'customer:paid': 'covered',
  'customer:promo': 'covered',
  'customer:free': 'covered',
  'customer:debt': 'owing',
  'provider:maturing': 'covered',
  'provider:payable': 'covered',
  'platform:settle': 'covered',
  'platform:fees': 'free',
  'platform:promo_cost': 'free',
  'platform:reversals': 'free',
  'clearing:payments': 'free',
  'clearing:payouts': 'free',
}

/** Captured money passes through here on its way to provider and fees; zero after every command. */
export const SETTLE_ACCOUNT = 'platform:settle'
/** The network's share. */
export const FEES_ACCOUNT = 'platform:fees'
/** What promotional credit has cost the platform. */
export const PROMO_COST_ACCOUNT = 'platform:promo_cost'
/** Money that payment companies owe us or that an operator has received. */
export const CLEARING_ACCOUNT = 'clearing:payments'
/** Earnings that were taken back before they were payable. */
export const REVERSALS_ACCOUNT = 'platform:reversals'
/** Money on its way to providers or paid to them. */
export const PAYOUTS_ACCOUNT = 'clearing:payouts'

/** A customer's bought credit. */
export function paidAccount(accountId: string): string {
  return `customer:${accountId}:paid`
}

/** A customer's granted credit; spent before bought credit. */
export function promoAccount(accountId: string): string {
  return `customer:${accountId}:promo`
}

/** What is left of a customer's allowance of the day; spent first, and only on the free tier's models. */
export function freeAccount(accountId: string): string {
  return `customer:${accountId}:free`
}

/** What a customer owes: refunds and lost disputes that the credit did not cover. */
export function debtAccount(accountId: string): string {
  return `customer:${accountId}:debt`
}

/** What a provider has earned and that may still be clawed back. */
export function maturingAccount(accountId: string): string {
  return `provider:${accountId}:maturing`
}

/** What a provider has earned for good. */
export function payableAccount(accountId: string): string {
  return `provider:${accountId}:payable`
}

/** The kind of a named account, or undefined where the name fits no row of the chart. */
export function bookAccountKind(name: string): BookAccountKind | undefined {
  const first = name.indexOf(':')
  const last = name.lastIndexOf(':')
  const isOwned = first !== last
  // Between the two colons is the owner, who has a name and no colon in it.
  if (isOwned && (name.indexOf(':', first + 1) !== last || last === first + 1)) return undefined
  const kind = isOwned ? name.slice(0, first) + name.slice(last) : name
  if (isOwned !== (kind.startsWith('customer:') || kind.startsWith('provider:'))) return undefined
  return Object.hasOwn(ACCOUNT_BOUNDS, kind) ? (kind as BookAccountKind) : undefined
}

/** Kinds of transfers that move money or, for `hold`, reserve it. */
export type MoveKind =
  | 'deposit'
  | 'grant'
  | 'allowance'
  | 'allowance_expiry'
  | 'hold'
  | 'earning'
  | 'fee'
  | 'topup'
  | 'repayment'
  | 'refund'
  | 'refund_return'
  | 'dispute'
  | 'chargeback'
  | 'chargeback_return'
  | 'debt'
  | 'maturation'
  | 'earning_reversal'
  | 'payout'
  | 'payout_return'

/** What one kind of move does. */
export interface MoveRule {
  /** `single` posts at once; `pending` reserves until it is captured, voided or expired. */
  phase: 'single' | 'pending'
  debit: readonly BookAccountKind[]
  credit: readonly BookAccountKind[]
}

/** Every way in which money moves. No row has a customer on both sides: credit cannot be sent to somebody else. */
export const MOVE_RULES: Readonly<Record<MoveKind, MoveRule>> = {
  deposit: { phase: 'single', debit: ['clearing:payments'], credit: ['customer:paid'] },
  grant: { phase: 'single', debit: ['platform:promo_cost'], credit: ['customer:promo'] },
  allowance: { phase: 'single', debit: ['platform:promo_cost'], credit: ['customer:free'] },
  allowance_expiry: {
    phase: 'single',
    debit: ['customer:free'],
    credit: ['platform:promo_cost'],
  },
  hold: {
    phase: 'pending',
    debit: ['customer:free', 'customer:promo', 'customer:paid'],
    credit: ['platform:settle'],
  },
  earning: { phase: 'single', debit: ['platform:settle'], credit: ['provider:maturing'] },
  fee: { phase: 'single', debit: ['platform:settle'], credit: ['platform:fees'] },
  topup: { phase: 'single', debit: ['clearing:payments'], credit: ['customer:paid'] },
  repayment: { phase: 'single', debit: ['clearing:payments'], credit: ['customer:debt'] },
  refund: { phase: 'pending', debit: ['customer:paid'], credit: ['clearing:payments'] },
  refund_return: { phase: 'single', debit: ['clearing:payments'], credit: ['customer:paid'] },
  dispute: { phase: 'pending', debit: ['customer:paid'], credit: ['clearing:payments'] },
  chargeback: { phase: 'single', debit: ['customer:paid'], credit: ['clearing:payments'] },
  chargeback_return: { phase: 'single', debit: ['clearing:payments'], credit: ['customer:paid'] },
  debt: { phase: 'single', debit: ['customer:debt'], credit: ['clearing:payments'] },
  maturation: { phase: 'single', debit: ['provider:maturing'], credit: ['provider:payable'] },
  earning_reversal: {
    phase: 'single',
    debit: ['provider:maturing'],
    credit: ['platform:reversals'],
  },
  payout: { phase: 'pending', debit: ['provider:payable'], credit: ['clearing:payouts'] },
  payout_return: { phase: 'single', debit: ['clearing:payouts'], credit: ['provider:payable'] },
}

/**
 * Most of one transfer: 2^62 nano-USD, $4.6 billion. Amounts travel as 64-bit integers, so anything near that is a
 * mistake of the caller.
 */
export const AMOUNT_MAX: bigint = 2n ** 62n
