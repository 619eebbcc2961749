import type { NanoUsd } from '@lexora/protocol'
import { Table } from './table.ts'

/** What the platform gives away each day. */
export interface FreeTierPolicy {
  /** What each verified account gets a day; 0 turns the free tier off. */
  dailyNanoUsd: NanoUsd
  /** What all accounts together get a day. */
  globalDailyNanoUsd: NanoUsd
  /** Models that the allowance pays for. */
  models: string[]
  /** Most accounts that share one signal (a device, an address) and each get the allowance: the earliest verified. */
  accountsPerSignalMax: number
}

/** What has been given away. Part of the ledger's state. */
export interface FreeTierState {
  /** The last one is in force; before the first, nothing is given away. */
  policies: FreeTierPolicy[]
  /** The latest day (UTC, since 1970) on which an allowance was given, and how much was given on it. */
  day: number
  given: NanoUsd
  /** By account, the latest day of its allowance. */
  days: Map<string, number>
}

/** Nothing given. */
export function createFreeTier(): FreeTierState {
  return { policies: [], day: 0, given: 0n, days: new Table() }
}

/** Counts an allowance. */
export function countAllowance(
  state: FreeTierState,
  { accountId, day, amount }: { accountId: string; day: number; amount: NanoUsd },
): void {
  state.given = day === state.day ? state.given + amount : amount
  state.day = day
  state.days.set(accountId, day)
}

/** Id of an account's allowance of a day: it can be entered only once, whatever retries. */
export function allowanceId(accountId: string, day: number): string {
  return `allowance:${accountId}:${day}`
}

/** Id of the transfer that takes back what was left when the allowance of this day replaced the one before. */
export function allowanceExpiryId(accountId: string, day: number): string {
  return `${allowanceId(accountId, day)}/left`
}
