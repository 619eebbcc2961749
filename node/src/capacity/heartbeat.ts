import type { LoadHeartbeat } from '@lexora/protocol'
import type { Slots } from './slots.ts'

/** What a heartbeat is made of. */
export interface HeartbeatsComponents {
  slots: Slots
  /** Unix time in ms. */
  clock: () => number
}

/** Who speaks: the peer, and the random id of this start of it. */
export interface HeartbeatsOptions {
  peerId: string
  bootId: Uint8Array
}

/** Says what this provider is doing, each time with a higher sequence number. */
export interface Heartbeats {
  next(): LoadHeartbeat
}

/** Makes the one source of this start's heartbeats: hellos, notices and gossip share its sequence. */
export function createHeartbeats(
  components: HeartbeatsComponents,
  options: HeartbeatsOptions,
): Heartbeats {
  let sequence = 0
  return {
    next() {
      sequence += 1
      return {
        ...options,
        sequence,
        sentAtMs: components.clock(),
        draining: components.slots.isDraining,
        models: components.slots.loads(),
      }
    },
  }
}
