import { type LoadHeartbeat, loadAnnouncementCodec, loadTopic } from '@lexora/protocol'
import type { MeshHost } from '@lexora/protocol/mesh'
import {
  LOAD_GOSSIP_INTERVAL_MIN_MS,
  LOAD_GOSSIP_PEERS_PER_SECOND,
  LOAD_GOSSIP_REPEAT_MS,
} from '../constants.ts'

/** What load gossip uses. */
export interface LoadGossipComponents {
  host: Pick<MeshHost, 'publish' | 'connectedPeers'>
  /** The load now, with the next sequence number. */
  heartbeat: () => LoadHeartbeat
  /** The membership certificate in force, if there is one. */
  certificate: () => Uint8Array | undefined
}

/** Tells gateways without a session what this provider is doing. Nothing is said without a certificate. */
export interface LoadGossip {
  /** Announces now, once more soon after, and then at intervals. */
  start(): void
  /** Announces now, out of turn: this provider is draining. */
  announce(): void
  stop(): void
}

/** Makes load gossip on the topics of the given models. This node publishes without subscribing to them. */
export function createLoadGossip(
  components: LoadGossipComponents,
  models: readonly string[],
): LoadGossip {
  const { host } = components
  const topics = [...new Set(models.map(loadTopic))]
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function announce(): void {
    const certificate = components.certificate()
    if (certificate === undefined) return
    for (const topic of topics) {
      // A sequence number for each topic: whoever follows two takes the second for a repetition otherwise.
      const bytes = loadAnnouncementCodec.encode({ certificate, load: components.heartbeat() })
      host.publish(topic, bytes).catch(() => {}) // a hint; the next one follows
    }
  }

  function schedule(delayMs: number): void {
    if (stopped) return
    timer = setTimeout(() => {
      announce()
      schedule(intervalMs())
    }, delayMs)
    timer.unref()
  }

  /** Spread by a fifth either way, so that a mesh that started at once does not speak at once. */
  function intervalMs(): number {
    const bySizeMs = (host.connectedPeers().length * 1_000) / LOAD_GOSSIP_PEERS_PER_SECOND
    return Math.max(LOAD_GOSSIP_INTERVAL_MIN_MS, bySizeMs) * (0.8 + 0.4 * Math.random())
  }

  return {
    start() {
      announce()
      schedule(LOAD_GOSSIP_REPEAT_MS)
    },
    announce,
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}
