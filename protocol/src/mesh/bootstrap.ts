import type { Multiaddr } from '@multiformats/multiaddr'
import { parsePeerAddress } from './addresses.ts'
import { backoff } from './backoff.ts'
import { startDeadline } from './deadline.ts'
import { BACKOFF_LIMITS, BOOTSTRAP_CONNECTIONS, HOST_LIMITS } from './limits.ts'
import type { MeshLog } from './log.ts'

/** What the supervisor uses. */
export interface BootstrapComponents {
  /** Connects to a peer at its addresses. */
  readonly dial: (addresses: Multiaddr[], signal: AbortSignal) => Promise<unknown>
  readonly isConnected: (peerId: string) => boolean
  readonly selfPeerId: string
  readonly log: MeshLog
}

/** Keeps this peer in the mesh. */
export interface BootstrapSupervisor {
  start(): void
  /** Whether a peer is one of the bootstrap peers. */
  has(peerId: string): boolean
  /** The connection to a peer ended: if it was one of these, look again soon. */
  readonly wake: (peerId: string) => void
  stop(): void
}

/**
 * Keeps up to three bootstrap connections for ever: dials those that are missing, in random order, at growing
 * intervals of 500 ms to 30 s. Throws LexoraError `invalid_request` for an address without a peer id.
 */
export function createBootstrapSupervisor(
  components: BootstrapComponents,
  addresses: readonly string[],
): BootstrapSupervisor {
  const { dial, isConnected, log } = components
  const peers = groupByPeer(addresses, components.selfPeerId)
  const wanted = Math.min(BOOTSTRAP_CONNECTIONS, peers.size)
  const retry = backoff({ minMs: BACKOFF_LIMITS.firstMs, maxMs: BACKOFF_LIMITS.maxMs })
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running = false

  const connected = (): number => [...peers.keys()].filter(isConnected).length

  async function attempt(): Promise<void> {
    const missing = [...peers.entries()].filter(([peerId]) => !isConnected(peerId))
    for (const [peerId, multiaddrs] of shuffled(missing)) {
      if (connected() >= wanted || stopping.signal.aborted) return
      const deadline = startDeadline(HOST_LIMITS.dialMs, [stopping.signal])
      try {
        await dial(multiaddrs, deadline.signal)
      } catch (error) {
        log.debug({ err: error, peer: peerId }, 'bootstrap peer not reached')
      } finally {
        deadline.clear()
      }
    }
  }

  async function run(): Promise<void> {
    running = true
    // Connections that have stood since the last look, not new ones: a peer that drops us at once is asked ever less.
    if (connected() >= wanted) retry.reset()
    await attempt()
    running = false
    const now = connected()
    if (now === 0) log.warn({ peers: peers.size }, 'no bootstrap peer is reachable')
    // With enough connections the next look is only a precaution: wake() comes when one ends.
    schedule(now >= wanted ? BACKOFF_LIMITS.maxMs : retry.nextMs())
  }

  function schedule(delayMs: number): void {
    if (stopping.signal.aborted || peers.size === 0) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      // attempt() catches what a dial throws.
      void run()
    }, delayMs)
  }

  return {
    start: () => {
      schedule(0)
    },
    has: (peerId) => peers.has(peerId),
    wake: (peerId) => {
      if (peers.has(peerId) && !running) schedule(retry.nextMs())
    },
    stop: () => {
      stopping.abort()
      clearTimeout(timer)
    },
  }
}

function groupByPeer(addresses: readonly string[], selfPeerId: string): Map<string, Multiaddr[]> {
  const peers = new Map<string, Multiaddr[]>()
  for (const text of addresses) {
    const { peerId, address } = parsePeerAddress(text)
    if (peerId !== selfPeerId) peers.set(peerId, [...(peers.get(peerId) ?? []), address])
  }
  return peers
}

/** In random order, so that a mesh that starts at once does not meet at one bootstrap peer. */
function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, rank: Math.random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}
