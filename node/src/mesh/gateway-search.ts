import { GATEWAY_RENDEZVOUS } from '@lexora/protocol'
import { backoff, type MeshHost } from '@lexora/protocol/mesh'
import {
  GATEWAY_SEARCH_FIRST_MAX_MS,
  GATEWAY_SEARCH_FIRST_MS,
  GATEWAY_SEARCH_MS,
  GATEWAY_SEARCH_RESULTS_MAX,
  GATEWAY_SEARCH_TIMEOUT_MS,
} from '../constants.ts'

/** What the search uses. */
export interface GatewaySearchComponents {
  host: Pick<MeshHost, 'findProviders'>
  /** Where what is found goes, and how many gateways are connected. */
  gateways: {
    learn(peerId: string, addresses: readonly string[]): void
    readonly connected: number
  }
}

/** Looks for gateways in the DHT, often until the first session and seldom from then on. */
export interface GatewaySearch {
  start(): void
  stop(): void
}

/** Makes the search. */
export function createGatewaySearch(components: GatewaySearchComponents): GatewaySearch {
  const { host, gateways } = components
  const first = backoff({ minMs: GATEWAY_SEARCH_FIRST_MS, maxMs: GATEWAY_SEARCH_FIRST_MAX_MS })
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined

  async function search(): Promise<void> {
    const signal = AbortSignal.any([
      stopping.signal,
      AbortSignal.timeout(GATEWAY_SEARCH_TIMEOUT_MS),
    ])
    const options = { limit: GATEWAY_SEARCH_RESULTS_MAX, signal }
    for await (const { peerId, addresses } of host.findProviders(GATEWAY_RENDEZVOUS, options)) {
      gateways.learn(peerId, addresses)
    }
  }

  function schedule(delayMs: number): void {
    if (stopping.signal.aborted) return
    timer = setTimeout(() => {
      // A search never throws for the network's doing, and the next one comes anyway.
      void search()
        .catch(() => {})
        .finally(() => {
          schedule(gateways.connected > 0 ? GATEWAY_SEARCH_MS : first.nextMs())
        })
    }, delayMs)
    timer.unref()
  }

  return {
    start: () => {
      schedule(0)
    },
    stop: () => {
      stopping.abort()
      clearTimeout(timer)
    },
  }
}
