import type { PeerInfo } from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { LexoraError } from '../errors.ts'
import { backoff } from './backoff.ts'
import { startDeadline } from './deadline.ts'
import { BACKOFF_LIMITS, RENDEZVOUS_LIMITS } from './limits.ts'
import type { MeshLog } from './log.ts'

/** A peer that said it provides a key: a hint, true or not, alive or not. */
export interface FoundProvider {
  readonly peerId: string
  readonly addresses: readonly string[]
}

/** How to look for providers. */
export interface FindOptions {
  /** Stop after this many. Default and most: 64. */
  readonly limit?: number
  /** Stop when it fires; the search also ends by itself after 10 s. */
  readonly signal?: AbortSignal
}

/** What the rendezvous uses. */
export interface RendezvousComponents {
  readonly dht: KadDHT
  readonly selfPeerId: string
  readonly log: MeshLog
}

/** Says and asks in the DHT who provides a key. */
export interface Rendezvous {
  /**
   * Says once that this peer provides a key; resolves with the number of peers that were told. Others ignore a peer
   * that has no address. Throws LexoraError `invalid_request` for a key above 256 bytes.
   */
  readonly provide: (key: string, signal?: AbortSignal) => Promise<number>
  /** Yields providers of a key other than this peer, each once, as they are found; never throws for the network's doing. */
  readonly findProviders: (key: string, options?: FindOptions) => AsyncIterable<FoundProvider>
  /** Provides a key again and again until the returned function is called: soon until the first success, then every 10 to 20 min. */
  readonly keepProvided: (key: string) => () => void
  /**
   * A peer connected: what has not yet been provided is tried now, and with `anew` everything is, since a bootstrap
   * peer that has restarted has forgotten its records.
   */
  wake(anew: boolean): void
  /** Ends all that keeps going. */
  stop(): void
}

interface Kept {
  wake(anew: boolean): void
  stop(): void
}

/** Makes the rendezvous over a DHT. */
export function createRendezvous(components: RendezvousComponents): Rendezvous {
  const { dht, selfPeerId, log } = components
  const stopping = new AbortController()
  const kept = new Set<Kept>()

  async function provide(key: string, signal?: AbortSignal): Promise<number> {
    const cid = await keyToCid(key)
    const deadline = startDeadline(RENDEZVOUS_LIMITS.queryMs, [stopping.signal, signal])
    let told = 0
    try {
      for await (const event of dht.provide(cid, { signal: deadline.signal })) {
        if (event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER') told += 1
      }
    } catch (error) {
      log.debug({ err: error, told }, 'provide ended early')
    } finally {
      deadline.clear()
    }
    return told
  }

  async function* findProviders(
    key: string,
    options: FindOptions = {},
  ): AsyncGenerator<FoundProvider> {
    const cid = await keyToCid(key)
    const limit = Math.min(
      options.limit ?? Number.POSITIVE_INFINITY,
      RENDEZVOUS_LIMITS.providersMax,
    )
    const seen = new Set([selfPeerId])
    const deadline = startDeadline(RENDEZVOUS_LIMITS.queryMs, [stopping.signal, options.signal])
    try {
      for await (const event of dht.findProviders(cid, { signal: deadline.signal })) {
        if (event.name !== 'PROVIDER') continue
        yield* notSeen(event.providers, seen, limit)
        // Leaving the loop ends the query, which would otherwise walk on to every peer near the key.
        if (seen.size > limit) return
      }
    } catch (error) {
      log.debug({ err: error, found: seen.size - 1 }, 'search for providers ended early')
    } finally {
      deadline.clear()
    }
  }

  function keepProvided(key: string): () => void {
    if (kept.size >= RENDEZVOUS_LIMITS.keysMax) {
      throw new LexoraError('invalid_request', 'too many keys to keep provided', {
        facts: { keys: kept.size },
      })
    }
    checkKey(key)
    const keeper = keepGoing((signal) => provide(key, signal))
    kept.add(keeper)
    return () => {
      keeper.stop()
      kept.delete(keeper)
    }
  }

  return {
    provide,
    findProviders,
    keepProvided,
    wake: (anew) => {
      for (const keeper of kept) keeper.wake(anew)
    },
    stop: () => {
      stopping.abort()
      for (const keeper of kept) keeper.stop()
      kept.clear()
    },
  }
}

/** Those not seen before, each remembered when it is taken, until `limit` are beside the one that asks. */
function* notSeen(
  found: readonly PeerInfo[],
  seen: Set<string>,
  limit: number,
): Generator<FoundProvider> {
  for (const { id, multiaddrs } of found) {
    const peerId = id.toString()
    if (seen.has(peerId)) continue
    if (seen.size > limit) return
    seen.add(peerId)
    const addresses = multiaddrs.slice(0, RENDEZVOUS_LIMITS.addressesPerProviderMax)
    yield { peerId, addresses: addresses.map(String) }
  }
}

/** Repeats an attempt that reports how many peers it reached and never rejects. */
function keepGoing(attempt: (signal: AbortSignal) => Promise<number>): Kept {
  const retry = backoff({ minMs: BACKOFF_LIMITS.firstMs, maxMs: BACKOFF_LIMITS.maxMs })
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running = false
  let again = false
  let provided = false

  function schedule(delayMs: number): void {
    if (stopping.signal.aborted) return
    clearTimeout(timer)
    timer = setTimeout(() => {
      // run() handles its own errors.
      void run()
    }, delayMs)
  }

  async function run(): Promise<void> {
    running = true
    again = false
    provided = (await attempt(stopping.signal).catch(() => 0)) > 0
    running = false
    if (provided) retry.reset()
    if (again) schedule(provided ? RENDEZVOUS_LIMITS.rejoinMs : 0)
    else schedule(provided ? reprovideDelayMs() : retry.nextMs())
  }

  schedule(0)
  return {
    wake: (anew) => {
      if (provided && !anew) return
      retry.reset()
      if (running) again = true
      else schedule(provided ? RENDEZVOUS_LIMITS.rejoinMs : 0)
    },
    stop: () => {
      stopping.abort()
      clearTimeout(timer)
    },
  }
}

/** Spread over ten minutes, so that a mesh that started at once does not provide at once. */
function reprovideDelayMs(): number {
  const { reprovideMinMs, reprovideMaxMs } = RENDEZVOUS_LIMITS
  return reprovideMinMs + Math.random() * (reprovideMaxMs - reprovideMinMs)
}

function checkKey(key: string): void {
  if (Buffer.byteLength(key) > RENDEZVOUS_LIMITS.keyBytesMax) {
    throw new LexoraError('invalid_request', 'the rendezvous key is too long', {
      facts: { bytes: key.length },
    })
  }
}

async function keyToCid(key: string): Promise<CID> {
  checkKey(key)
  const rawCodec = 0x55
  return CID.createV1(rawCodec, await sha256.digest(new TextEncoder().encode(`lexora:${key}`)))
}
