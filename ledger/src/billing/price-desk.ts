import type { PriceList } from '@lexora/protocol'
import { pricesAt, publishPrices } from '../core/rules/prices.ts'
import { checkText, type Desk } from '../desk.ts'

/** What things cost. */
export interface PriceDesk {
  /** The list in force now; version 0 without models before the first one. */
  prices(): PriceList
  /** Every list ever published, ascending versions. */
  listPrices(): PriceList[]
  /** Publishes a list. Throws `invalid_request` and, for a version that does not rise, `conflict`. */
  setPrices(list: PriceList): Promise<PriceList>
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
    listPrices: () => [...state.prices],
    async setPrices(list) {
      for (const price of list.models) checkText(price.model, 'model')
      const published = await writer.submit(publishPrices, list)
      announcePrices()
      return published
    },
    onPrices(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    announcePrices,
  }
}
