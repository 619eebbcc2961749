import { findPrice, type KeyInfo, LexoraError, type PriceList } from '@lexora/protocol'
import type { Ledger } from './billing/ledger.ts'
import type { DispatchEvent, Dispatcher } from './dispatch/dispatcher.ts'
import { eventQueue } from './dispatch/event-queue.ts'
import { explain } from './dispatch/explain.ts'
import type { GatewayBackend, KeyStatus, ModelListing } from './http/backend.ts'
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
  const { ledger, dispatcher } = components
  return {
    chat(call, signal) {
      const left = new AbortController()
      const queue = eventQueue<DispatchEvent>(() => left.abort())
      // Two ways to leave, one signal: AbortSignal.any() keeps its sources alive on Node 20.
      if (signal.aborted) left.abort()
      signal.addEventListener('abort', () => left.abort(), { once: true })
      const { apiKeyHash: keyHash, request: chat, requestId, stream } = call
      const ended = dispatcher.run({ keyHash, chat, requestId, stream }, left.signal, queue.push)
      ended.then(
        // Nothing was finished for a client that left: an end without a word would look like a fault of ours.
        () => queue.end(left.signal.aborted ? clientGone() : undefined),
        (error: Error) => queue.end(error),
      )
      return queue.events
    },
    models: catalogue(components),
    async key(keyHash) {
      try {
        return keyStatus(await ledger.keyInfo(keyHash))
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

function clientGone(): LexoraError {
  return new LexoraError('cancelled', 'The client went away.')
}

/** Lists what somebody serves now and the price list sells. */
function catalogue({ directory, prices, clock }: BackendComponents): () => ModelListing[] {
  const seenAtMs = new Map<string, number>()

  function firstSeen(model: string): number {
    const known = seenAtMs.get(model)
    if (known !== undefined) return known
    if (seenAtMs.size >= SEEN_MODELS_MAX) seenAtMs.clear()
    seenAtMs.set(model, clock())
    return clock()
  }

  return () => {
    const list = prices()
    if (list === undefined) return []
    const listings: ModelListing[] = []
    for (const [id, { offer, providers }] of directory.models()) {
      const price = findPrice(list, id)
      if (price === undefined) continue
      const { contextTokens, quantisation } = offer
      const createdAtMs = firstSeen(id)
      listings.push({ id, createdAtMs, contextTokens, quantisation, providers, price })
    }
    return listings
  }
}

function keyStatus(info: KeyInfo): KeyStatus {
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
}
