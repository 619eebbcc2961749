import {
  findPrice,
  LexoraError,
  type ModelPrice,
  type NanoUsd,
  type PriceList,
} from '@lexora/protocol'
import type { PriceDraft } from '../core/records.ts'
import {
  cancelPrices,
  draftPrices,
  type PriceListState,
  priceListState,
  pricesAt,
  publishPrices,
  schedulePrices,
} from '../core/rules/prices.ts'
import { checkText, type Desk } from '../desk.ts'

/** A published list and where it stands. */
export interface PublishedPrices extends PriceList {
  state: PriceListState
}

/** One price that a scheduled list changes. Absent `fromNanoUsd`: new on the list; absent `toNanoUsd`: gone from it. */
export interface PriceChangeNotice {
  model: string
  price: Exclude<keyof ModelPrice, 'model'>
  fromNanoUsd?: NanoUsd
  toNanoUsd?: NanoUsd
}

/** What changes when a scheduled list comes into force. */
export interface PricesNotice {
  version: number
  effectiveAtMs: number
  changes: PriceChangeNotice[]
}

/** What things cost. */
export interface PriceDesk {
  /** The list in force now; version 0 without models before the first one. */
  prices(): PriceList
  /** Every list ever published, ascending versions. */
  listPrices(): PublishedPrices[]
  /** Publishes a list. Throws `invalid_request` and, for a version that does not rise, `conflict`. */
  setPrices(list: PriceList): Promise<PriceList>
  /** The prices that are being prepared, or undefined. */
  priceDraft(): PriceDraft | undefined
  /** Keeps prices that are being prepared. Throws `invalid_request`. */
  draftPrices(draft: PriceDraft): Promise<PriceDraft>
  /** Publishes the draft for a time to come. Throws `not_found`, `invalid_request`. */
  schedulePrices(effectiveAtMs: number): Promise<PriceList>
  /** Takes a scheduled list back. Throws `not_found` and, once it has been in force, `conflict`. */
  cancelPrices(version: number): Promise<PriceList>
  /** What the scheduled lists change, the nearest first: for a banner and for mails. */
  priceNotices(): PricesNotice[]
  /** Told when another list comes into force. Returns the function that ends it. */
  onPrices(listener: (list: PriceList) => void): () => void
  /** Tells listeners where the list in force has changed. Called from a timer. */
  announcePrices(): void
}

/** The part of the service that keeps price lists. */
export function createPriceDesk(desk: Desk): PriceDesk {
  const { writer, state, clock, log } = desk
  const listeners = new Set<(list: PriceList) => void>()
  let announced = pricesAt(state, clock()).version

  function announcePrices(): void {
    const list = pricesAt(state, clock())
    if (list.version === announced) return
    announced = list.version
    log.info({ version: list.version, models: list.models.length }, 'prices in force')
    for (const listener of listeners) listener(list)
  }

  return {
    prices: () => pricesAt(state, clock()),
    listPrices: () =>
      state.prices.map((list) => ({ ...list, state: priceListState(state, list, clock()) })),
    async setPrices(list) {
      for (const price of list.models) checkText(price.model, 'model')
      const published = await writer.submit(publishPrices, list)
      announcePrices()
      return published
    },
    priceDraft: () => state.priceDrafts[0],
    async draftPrices(draft) {
      for (const price of draft.models) checkText(price.model, 'model')
      return writer.submit(draftPrices, draft)
    },
    async schedulePrices(effectiveAtMs) {
      if (!Number.isSafeInteger(effectiveAtMs)) {
        throw new LexoraError('invalid_request', 'effectiveAtMs must be Unix milliseconds')
      }
      const list = await writer.submit(schedulePrices, { effectiveAtMs })
      log.info({ version: list.version, effectiveAtMs }, 'prices scheduled')
      return list
    },
    async cancelPrices(version) {
      const list = await writer.submit(cancelPrices, { version })
      log.info({ version }, 'prices cancelled')
      return list
    },
    priceNotices() {
      const nowMs = clock()
      const scheduled = state.prices
        .filter((list) => priceListState(state, list, nowMs) === 'scheduled')
        .sort((a, b) => a.effectiveAtMs - b.effectiveAtMs)
      return scheduled.map((list) => noticeOf(pricesAt(state, nowMs), list))
    },
    onPrices(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    announcePrices,
  }
}

function noticeOf(before: PriceList, after: PriceList): PricesNotice {
  const models = new Set([...before.models, ...after.models].map(({ model }) => model))
  const changes = [...models].flatMap((model) =>
    changesOf(model, findPrice(before, model), findPrice(after, model)),
  )
  return { version: after.version, effectiveAtMs: after.effectiveAtMs, changes }
}

const PRICE_NAMES = ['inputNanoUsd', 'cachedInputNanoUsd', 'outputNanoUsd'] as const

function changesOf(
  model: string,
  before: ModelPrice | undefined,
  after: ModelPrice | undefined,
): PriceChangeNotice[] {
  const changed = PRICE_NAMES.filter((price) => before?.[price] !== after?.[price])
  return changed.map((price) => ({
    model,
    price,
    ...(before === undefined ? {} : { fromNanoUsd: before[price] }),
    ...(after === undefined ? {} : { toNanoUsd: after[price] }),
  }))
}
