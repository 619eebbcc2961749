import type { NanoUsd } from '@lexora/protocol'

/** Spans of time in which spending is limited, by UTC: days, weeks from Monday, calendar months. */
export const SPEND_SPANS = ['day', 'week', 'month'] as const
/** One of {@link SPEND_SPANS}. */
export type SpendSpan = (typeof SPEND_SPANS)[number]

const DAY_MS = 86_400_000
const DAYS_PER_WEEK = 7
/** 1 January 1970 was a Thursday: three days after a Monday. */
const EPOCH_WEEKDAY = 3
const MONTHS_PER_YEAR = 12

/** What was captured in one span. */
export interface SpendWindow {
  /** Number of the span since 1970. */
  index: number
  captured: NanoUsd
}

/** What one key, with those that replaced it, holds now and has spent lately. */
export interface Spending {
  held: NanoUsd
  day: SpendWindow
  week: SpendWindow
  month: SpendWindow
  /** When its last hold was placed. */
  lastUsedAtMs: number
}

const UNUSED: SpendWindow = { index: 0, captured: 0n }

/** Nothing spent. */
export const NO_SPENDING: Spending = {
  held: 0n,
  day: UNUSED,
  week: UNUSED,
  month: UNUSED,
  lastUsedAtMs: 0,
}

/** With a placed hold. */
export function withHeld(spending: Spending, ceiling: NanoUsd, atMs: number): Spending {
  const lastUsedAtMs = Math.max(spending.lastUsedAtMs, atMs)
  return { ...spending, held: spending.held + ceiling, lastUsedAtMs }
}

/** With an ended hold and what it cost. */
export function withSpent(
  spending: Spending,
  { ceiling, cost }: { ceiling: NanoUsd; cost: NanoUsd },
  atMs: number,
): Spending {
  const { day, week, month } = spending
  const held = spending.held - ceiling
  if (cost === 0n) return { ...spending, held }
  return {
    ...spending,
    held,
    day: added(day, spanIndex('day', atMs), cost),
    week: added(week, spanIndex('week', atMs), cost),
    month: added(month, spanIndex('month', atMs), cost),
  }
}

function added({ index, captured }: SpendWindow, at: number, cost: NanoUsd): SpendWindow {
  return at > index ? { index: at, captured: cost } : { index, captured: captured + cost }
}

/**
 * What was captured in the span of this time. A clock that went back never opens a window again: the latest one that
 * was counted in goes on until the time has passed it.
 */
export function spentIn(spending: Spending, span: SpendSpan, nowMs: number): NanoUsd {
  const window = spending[span]
  return spanIndex(span, nowMs) > window.index ? 0n : window.captured
}

/** The number of the span that holds this time. */
export function spanIndex(span: SpendSpan, timeMs: number): number {
  const day = Math.floor(timeMs / DAY_MS)
  if (span === 'day') return day
  if (span === 'week') return Math.floor((day + EPOCH_WEEKDAY) / DAYS_PER_WEEK)
  const date = new Date(timeMs)
  return date.getUTCFullYear() * MONTHS_PER_YEAR + date.getUTCMonth()
}

/** When the next span begins, Unix ms. */
export function spanEndMs(span: SpendSpan, timeMs: number): number {
  const index = spanIndex(span, timeMs) + 1
  if (span === 'day') return index * DAY_MS
  if (span === 'week') return (index * DAYS_PER_WEEK - EPOCH_WEEKDAY) * DAY_MS
  return Date.UTC(Math.floor(index / MONTHS_PER_YEAR), index % MONTHS_PER_YEAR)
}
