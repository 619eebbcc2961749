import type { ModelPrice, NanoUsd, PriceList } from '@lexora/protocol'
import type { PriceDraft } from '../records.ts'
import { accept, type Decision, refuse } from '../refusal.ts'
import type { LedgerState } from '../state.ts'

/** Most price lists ever published: one an hour for a year. */
const PRICE_LISTS_MAX = 10_000
/** Most models of one list; what one message of prices can carry. */
const PRICED_MODELS_MAX = 512
/** Highest price: a million dollars per million tokens. Keeps the ceiling of any request far below AMOUNT_MAX. */
const PRICE_NANO_USD_MAX: NanoUsd = 10n ** 15n

/** Before the first list is published nothing is for sale. */
const NO_PRICES: PriceList = { version: 0, effectiveAtMs: 0, feeBasisPoints: 0, models: [] }

/** Publishes a price list. It applies to holds placed from its effective time on; running ones keep theirs. */
export function publishPrices(state: LedgerState, list: PriceList): Decision<PriceList> {
  const last = state.prices.at(-1)?.version ?? 0
  const fault = priceListFault(list)
  if (fault !== undefined) return refuse('invalid_request', fault)
  if (list.version <= last) {
    return refuse('conflict', `the version must be above ${last}`, { version: list.version, last })
  }
  if (state.prices.length >= PRICE_LISTS_MAX) return refuse('conflict', 'there are too many lists')
  return accept(list, [{ type: 'prices', list }])
}

/** Keeps prices that are being prepared, in place of those before. */
export function draftPrices(state: LedgerState, draft: PriceDraft): Decision<PriceDraft> {
  const fault = priceListFault({ ...draft, version: nextVersion(state), effectiveAtMs: 0 })
  if (fault !== undefined) return refuse('invalid_request', fault)
  return accept(draft, [{ type: 'priceDraft', draft }])
}

/** Publishes the draft for a time to come. Everybody is told now. */
export function schedulePrices(
  state: LedgerState,
  command: { effectiveAtMs: number },
  nowMs: number,
): Decision<PriceList> {
  const [draft] = state.priceDrafts
  if (draft === undefined) return refuse('not_found', 'there is no draft of prices')
  if (command.effectiveAtMs <= nowMs) {
    return refuse('invalid_request', 'a change of prices is for a time to come')
  }
  const { effectiveAtMs } = command
  const list: PriceList = { ...draft, version: nextVersion(state), effectiveAtMs }
  const published = publishPrices(state, list)
  if (!published.ok) return published
  return accept(list, [...published.changes, { type: 'priceDraftDropped' }])
}

/** Takes back a list before its time has come. Again is harmless. */
export function cancelPrices(
  state: LedgerState,
  command: { version: number },
  nowMs: number,
): Decision<PriceList> {
  const list = pricesOf(state, command.version)
  if (list === undefined) return refuse('not_found', 'there is no such price list')
  if (state.pricesCancelled.has(list.version)) return accept(list)
  if (list.effectiveAtMs <= nowMs) {
    return refuse('conflict', 'this list has been in force: publish another one')
  }
  return accept(list, [{ type: 'pricesCancelled', version: list.version }])
}

/** Where a published list stands. */
export type PriceListState = 'scheduled' | 'live' | 'past' | 'cancelled'

/** Where a published list stands now. */
export function priceListState(state: LedgerState, list: PriceList, nowMs: number): PriceListState {
  if (state.pricesCancelled.has(list.version)) return 'cancelled'
  if (list.effectiveAtMs > nowMs) return 'scheduled'
  return pricesAt(state, nowMs).version === list.version ? 'live' : 'past'
}

/** The list in force: the highest version whose time has come and that was not cancelled. */
export function pricesAt(state: LedgerState, nowMs: number): PriceList {
  const isGood = (list: PriceList): boolean =>
    list.effectiveAtMs <= nowMs && !state.pricesCancelled.has(list.version)
  return state.prices.findLast(isGood) ?? NO_PRICES
}

function nextVersion(state: LedgerState): number {
  return (state.prices.at(-1)?.version ?? 0) + 1
}

/** The price list of a version, or undefined. */
export function pricesOf(state: LedgerState, version: number): PriceList | undefined {
  return state.prices.findLast((list) => list.version === version)
}

function priceListFault(list: PriceList): string | undefined {
  const { version, effectiveAtMs, feeBasisPoints, models } = list
  if (!Number.isInteger(version) || version < 1 || version > 0xffff_ffff) {
    return 'the version must be a whole number from 1'
  }
  if (!Number.isSafeInteger(effectiveAtMs) || effectiveAtMs < 0) {
    return 'the effective time must be Unix milliseconds'
  }
  if (!Number.isInteger(feeBasisPoints) || feeBasisPoints < 0 || feeBasisPoints > 10_000) {
    return 'the fee must be 0 to 10000 basis points'
  }
  if (models.length > PRICED_MODELS_MAX) return `a list has at most ${PRICED_MODELS_MAX} models`
  if (new Set(models.map((price) => price.model)).size < models.length) {
    return 'a list names a model once'
  }
  return models.map(priceFault).find((fault) => fault !== undefined)
}

function priceFault(price: ModelPrice): string | undefined {
  const amounts = [price.inputNanoUsd, price.cachedInputNanoUsd, price.outputNanoUsd]
  if (amounts.some((amount) => amount < 0n || amount > PRICE_NANO_USD_MAX)) {
    return `a price of ${price.model} is below 0 or above ${PRICE_NANO_USD_MAX}`
  }
  // A hold is placed for fresh input, so anything dearer could cost more than was held.
  if (price.cachedInputNanoUsd > price.inputNanoUsd) {
    return `cached input of ${price.model} costs more than fresh input`
  }
  return undefined
}
