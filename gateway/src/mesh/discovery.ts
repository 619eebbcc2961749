import {
  checkCertificate,
  CLOCK_SKEW_MS,
  errorCodeOf,
  GATEWAY_RENDEZVOUS,
  GATEWAY_TOPIC,
  gatewayAnnouncementCodec,
  LOAD_LIFETIME_MS,
  LOAD_TOPICS,
  loadAnnouncementCodec,
  modelRendezvous,
} from '@lexora/protocol'
import type { GossipVerdict, MeshHost } from '@lexora/protocol/mesh'
import type { Logger } from 'pino'
import type { Directory } from '../routing/directory.ts'
import type { Providers } from './providers.ts'

/** How often a gateway says where it is, ms: a new provider learns of it by then even where the DHT is slow. */
const ANNOUNCE_INTERVAL_MS = 15_000
/** How often the DHT is asked for providers, ms. Providers dial in by themselves: this finds those that cannot find us. */
const LOOKUP_INTERVAL_MS = 30_000
/** First hits taken per model and look-up. */
const LOOKUP_LIMIT = 20
/** Most peers remembered as tried, and for how long they are left alone, ms. */
const TRIED_MAX = 10_000
const TRIED_REST_MS = 60_000

/** What discovery uses. */
export interface DiscoveryComponents {
  host: MeshHost
  directory: Directory
  providers: Providers
  log: Logger
  /** Unix time in ms. */
  clock: () => number
  certificate: () => Uint8Array | undefined
  /** Models worth looking for. */
  models: () => readonly string[]
}

/** Makes this gateway findable and finds providers that did not find it. */
export interface Discovery {
  /** Begins; a second call does nothing. */
  start(): void
  stop(): void
}

/** Makes discovery for a started host with its topics. */
export function createDiscovery(components: DiscoveryComponents, options: { ledgerPeerId: string }): Discovery {
  const { host, directory, providers, log, clock } = components
  const tried = new Map<string, number>()
  const stopping = new AbortController()
  const undo: (() => void)[] = []
  let sequence = clock()

  async function announce(): Promise<void> {
    const certificate = components.certificate()
    if (certificate === undefined) return
    sequence++
    const announcement = { certificate, sequence, sentAtMs: clock(), addresses: host.addresses() }
    await host.publish(GATEWAY_TOPIC, gatewayAnnouncementCodec.encode(announcement))
  }

  /** Heartbeats of providers that hold no session here: their author is dialled if anybody knows where it is. */
  function judge(from: string, bytes: Uint8Array): GossipVerdict {
    const { certificate, load } = loadAnnouncementCodec.decode(bytes)
    if (load.peerId !== from) return 'reject'
    if (Math.abs(clock() - load.sentAtMs) > LOAD_LIFETIME_MS + CLOCK_SKEW_MS) return 'ignore'
    checkCertificate(certificate, {
      ledgerPeerId: options.ledgerPeerId,
      nowMs: clock(),
      peerId: from,
      role: 'provider',
    })
    return 'accept'
  }

  async function lookUp(): Promise<void> {
    for (const model of components.models()) {
      for await (const found of host.findProviders(modelRendezvous(model), {
        limit: LOOKUP_LIMIT,
        signal: stopping.signal,
      })) {
        meet(found.peerId, found.addresses)
      }
    }
  }

  function meet(peerId: string, addresses: readonly string[]): void {
    if (directory.has(peerId) || isResting(peerId)) return
    providers.meet(addresses.length === 0 ? { peerId } : { peerId, addresses }).catch((error: unknown) => {
      log.debug({ peer: peerId, code: errorCodeOf(error) }, 'provider could not be met')
    })
  }

  function isResting(peerId: string): boolean {
    const now = clock()
    if ((tried.get(peerId) ?? 0) > now) return true
    if (tried.size >= TRIED_MAX) tried.clear()
    tried.set(peerId, now + TRIED_REST_MS)
    return false
  }

  /** Runs a task now and then every so often; its failures are logged and wait for the next turn. */
  function repeat(task: () => Promise<void>, intervalMs: number): void {
    const turn = (): void => {
      task().catch((error: unknown) => log.debug({ code: errorCodeOf(error) }, 'a discovery turn failed'))
    }
    turn()
    const timer = setInterval(turn, intervalMs)
    undo.push(() => clearInterval(timer))
  }

  return {
    start() {
      if (undo.length > 0) return
      undo.push(host.keepProvided(GATEWAY_RENDEZVOUS))
      for (const topic of LOAD_TOPICS) {
        undo.push(host.subscribe(topic, { validate: judge, handle: (from) => meet(from, []) }))
      }
      repeat(announce, ANNOUNCE_INTERVAL_MS)
      repeat(lookUp, LOOKUP_INTERVAL_MS)
    },
    stop() {
      stopping.abort()
      for (const step of undo.splice(0)) step()
    },
  }
}
