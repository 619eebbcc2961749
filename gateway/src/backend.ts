import { LexoraError, findPrice, type PriceList } from '@lexora/protocol'
import type { Ledger } from './billing/ledger.ts'
import type { Dispatcher, DispatchEvent } from './dispatch/dispatcher.ts'
import { eventQueue } from './dispatch/event-queue.ts'
import { explain } from './dispatch/explain.ts'
import type { GatewayBackend, ModelListing } from './http/backend.ts'
import type { Directory } from './routing/directory.ts'

/** Most models whose first sight is remembered; far more than a price list holds. */
const SEEN_MODELS_MAX = 1_024

/** What the backend uses. */
export interface BackendComponents {
  ledger: Ledger
  dispatcher: Dispatcher
  directory: Directory
  /** The price list in force, or undefined before the ledger was first reached. */
  prices: () => PriceList | undefined
  hasCertificate: () => boolean
  /** Unix time in ms. */
  clock: () => number
}

/** Puts the parts behind the port that the HTTP edge speaks to. */
export function createBackend(components: BackendComponents): GatewayBackend {
  const { ledger, dispatcher, directory, clock } = components
  const seenAtMs = new Map<string, number>()

  function firstSeen(model: string): number {
    const known = seenAtMs.get(model)
    if (known !== undefined) return known
    if (seenAtMs.size >= SEEN_MODELS_MAX) seenAtMs.clear()
    seenAtMs.set(model, clock())
    return clock()
  }

  return {
    chat(call, signal) {
      const left = new AbortController()
      const queue = eventQueue<DispatchEvent>(() => left.abort())
      dispatcher
        .run(
          { keyHash: call.apiKeyHash, chat: call.request, requestId: call.requestId },
          AbortSignal.any([signal, left.signal]),
          queue.push,
        )
        .then(() => queue.end(), queue.end)
      return queue.events
    },
    models() {
      const prices = components.prices()
      const listings: ModelListing[] = []
      for (const [id, { offer, providers }] of directory.models()) {
        const price = prices === undefined ? undefined : findPrice(prices, id)
        if (price === undefined) continue
        const { contextTokens, quantisation } = offer
        listings.push({ id, createdAtMs: firstSeen(id), contextTokens, quantisation, providers, price })
      }
      return listings
    },
    async key(keyHash) {
      try {
        const info = await ledger.keyInfo(keyHash)
        return {
          label: info.label,
          accountRef: info.accountRef,
          balance: {
            promo: info.promoNanoUsd,
            paid: info.paidNanoUsd,
            held: info.heldNanoUsd,
            available: info.availableNanoUsd,
          },
          spent: info.spentNanoUsd,
        }
      } catch (error) {
        throw error instanceof LexoraError ? explain(error, '') : error
      }
    },
    ready() {
      const checks = [
        { name: 'ledger', ok: ledger.isConnected },
        { name: 'certificate', ok: components.hasCertificate() },
        { name: 'prices', ok: components.prices() !== undefined },
      ]
      return { ready: checks.every(({ ok }) => ok), checks }
    },
  }
}
