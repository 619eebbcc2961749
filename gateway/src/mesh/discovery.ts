import {
  CLOCK_SKEW_MS,
  checkCertificate,
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
/**
 * The first of these turns are closer, ms, each wait twice the one before: a gateway and providers that start together
 * know nobody yet, and what is said then is heard by few.
 */
const FIRST_INTERVAL_MS = 1_000
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
export function createDiscovery(
  components: DiscoveryComponents,
  options: { ledgerPeerId: string },
): Discovery {
  return new MeshDiscovery(components, options.ledgerPeerId)
}

class MeshDiscovery implements Discovery {
  readonly #components: DiscoveryComponents
  readonly #ledgerPeerId: string
  /** Peers that were tried, and until when they are left alone. */
  readonly #tried = new Map<string, number>()
  readonly #stopping = new AbortController()
  #undo: (() => void)[] = []
  #sequence: number

  constructor(components: DiscoveryComponents, ledgerPeerId: string) {
    this.#components = components
    this.#ledgerPeerId = ledgerPeerId
    // Rises over restarts too, without a file.
    this.#sequence = components.clock()
  }

  start(): void {
    if (this.#undo.length > 0 || this.#stopping.signal.aborted) return
    const { host } = this.#components
    this.#undo.push(host.keepProvided(GATEWAY_RENDEZVOUS))
    for (const topic of LOAD_TOPICS) {
      const subscriber = {
        validate: (from: string, bytes: Uint8Array) => this.#judge(from, bytes),
        handle: (from: string) => this.#meet(from, []),
      }
      this.#undo.push(host.subscribe(topic, subscriber))
    }
    this.#repeat(() => this.#announce(), ANNOUNCE_INTERVAL_MS)
    this.#repeat(() => this.#lookUp(), LOOKUP_INTERVAL_MS)
  }

  stop(): void {
    this.#stopping.abort()
    for (const step of this.#undo) step()
    this.#undo = []
  }

  async #announce(): Promise<void> {
    const { host, clock } = this.#components
    const certificate = this.#components.certificate()
    if (certificate === undefined) return
    const sequence = ++this.#sequence
    const announcement = { certificate, sequence, sentAtMs: clock(), addresses: host.addresses() }
    await host.publish(GATEWAY_TOPIC, gatewayAnnouncementCodec.encode(announcement))
  }

  /** Heartbeats of providers that hold no session here: their author is dialled if anybody knows where it is. */
  #judge(from: string, bytes: Uint8Array): GossipVerdict {
    const nowMs = this.#components.clock()
    const { certificate, load } = loadAnnouncementCodec.decode(bytes)
    if (load.peerId !== from) return 'reject'
    if (Math.abs(nowMs - load.sentAtMs) > LOAD_LIFETIME_MS + CLOCK_SKEW_MS) return 'ignore'
    checkCertificate(certificate, {
      ledgerPeerId: this.#ledgerPeerId,
      nowMs,
      peerId: from,
      role: 'provider',
    })
    return 'accept'
  }

  async #lookUp(): Promise<void> {
    const { host, models } = this.#components
    const { signal } = this.#stopping
    for (const model of models()) {
      const found = host.findProviders(modelRendezvous(model), { limit: LOOKUP_LIMIT, signal })
      for await (const { peerId, addresses } of found) this.#meet(peerId, addresses)
    }
  }

  #meet(peerId: string, addresses: readonly string[]): void {
    const { directory, providers, log } = this.#components
    if (directory.has(peerId) || this.#isResting(peerId)) return
    const target = addresses.length === 0 ? { peerId } : { peerId, addresses }
    providers.meet(target).catch((error: unknown) => {
      log.debug({ peer: peerId, code: errorCodeOf(error) }, 'provider could not be met')
    })
  }

  #isResting(peerId: string): boolean {
    const nowMs = this.#components.clock()
    if ((this.#tried.get(peerId) ?? 0) > nowMs) return true
    if (this.#tried.size >= TRIED_MAX) this.#tried.clear()
    this.#tried.set(peerId, nowMs + TRIED_REST_MS)
    return false
  }

  /** Runs a task now, soon again, and then every so often; its failures are logged and wait for the next turn. */
  #repeat(task: () => Promise<void>, intervalMs: number): void {
    let timer: NodeJS.Timeout | undefined
    // The next turn waits for this one: a walk through the DHT may take longer than the interval.
    const turn = async (waitMs: number): Promise<void> => {
      try {
        await task()
      } catch (error) {
        this.#components.log.debug({ code: errorCodeOf(error) }, 'a discovery turn failed')
      }
      if (this.#stopping.signal.aborted) return
      const nextMs = Math.min(intervalMs, waitMs * 2)
      timer = setTimeout(() => void turn(nextMs), waitMs) // it handles its own errors
    }
    void turn(Math.min(intervalMs, FIRST_INTERVAL_MS))
    this.#undo.push(() => clearTimeout(timer))
  }
}
