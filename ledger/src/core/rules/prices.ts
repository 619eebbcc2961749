import type { ModelPrice, NanoUsd, PriceList } from '@lexora/protocol'
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

/** The list in force: the highest version whose time has come. */
export function pricesAt(state: LedgerState, nowMs: number): PriceList {
  return state.prices.findLast((list) => list.effectiveAtMs <= nowMs) ?? NO_PRICES
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
