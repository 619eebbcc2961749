import {
  type CapabilityRecord,
  LexoraError,
  LOAD_LIFETIME_MS,
  type LoadHeartbeat,
  type ModelOffer,
} from '@lexora/protocol'
import type { Session } from '@lexora/protocol/mesh'
import type { Candidate } from './candidate.ts'
import { type Observed, observed } from './observed.ts'

/** Most providers that one gateway keeps sessions with: each costs a connection of about 60 KiB and a heartbeat. */
export const PROVIDERS_MAX: number = 10_000

/** A provider that can be asked now: it has an open session and a valid record. */
export interface Provider {
  readonly peerId: string
  readonly session: Session
  readonly record: CapabilityRecord
}

/** What the directory adds to a provider; only the directory writes it. */
interface Entry {
  peerId: string
  session: Session
  record: CapabilityRecord
  load: LoadHeartbeat | undefined
  loadAtMs: number
  inFlight: Map<string, number>
  observed: Map<string, Observed>
}

/** Who serves what, from this gateway's own sessions. Only self-signed statements of the peer itself enter it. */
export interface Directory {
  /** Adds or replaces the provider behind a session. Throws `rate_limited` when the directory is full. */
  add(session: Session, record: CapabilityRecord, load: LoadHeartbeat | undefined): void
  /** Takes a newer record or load of a known provider; an older or foreign one is ignored. */
  updateRecord(peerId: string, record: CapabilityRecord): void
  updateLoad(peerId: string, load: LoadHeartbeat): void
  /** Forgets the provider if this is still its session. */
  remove(session: Session): void
  has(peerId: string): boolean
  get(peerId: string): Provider | undefined
  readonly size: number
  /** What the router ranks: one moment's candidates for a model. */
  candidates(model: string): Candidate[]
  /** The offer of a model by one provider. */
  offer(peerId: string, model: string): ModelOffer | undefined
  /** Every model that somebody serves now, with the number of providers and the largest context. */
  models(): Map<string, { offer: ModelOffer; providers: number }>
  /** Counts a request of ours until the returned function is called (once or more). */
  debit(peerId: string, model: string): () => void
  /** This gateway's observation of a model on a provider; undefined once the provider is gone. */
  observation(peerId: string, model: string): Observed | undefined
}

/** Makes an empty directory. `clock` is Unix time in ms. */
export function createDirectory(components: { clock: () => number }): Directory {
  return new LiveDirectory(components.clock)
}

class LiveDirectory implements Directory {
  readonly #entries = new Map<string, Entry>()
  readonly #clock: () => number

  constructor(clock: () => number) {
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  add(session: Session, record: CapabilityRecord, load: LoadHeartbeat | undefined): void {
    const known = this.#entries.get(session.remotePeer)
    if (known === undefined && this.#entries.size >= PROVIDERS_MAX) {
      throw new LexoraError('rate_limited', 'this gateway holds as many providers as it can')
    }
    this.#entries.set(session.remotePeer, {
      peerId: session.remotePeer,
      session,
      record,
      load,
      loadAtMs: this.#clock(),
      inFlight: known?.inFlight ?? new Map(),
      observed: known?.observed ?? new Map(),
    })
  }

  updateRecord(peerId: string, record: CapabilityRecord): void {
    const entry = this.#entries.get(peerId)
    if (entry !== undefined && record.sequence > entry.record.sequence) entry.record = record
  }

  updateLoad(peerId: string, load: LoadHeartbeat): void {
    const entry = this.#entries.get(peerId)
    if (entry === undefined || !isNewer(load, entry.load)) return
    entry.load = load
    entry.loadAtMs = this.#clock()
  }

  remove(session: Session): void {
    const { remotePeer } = session
    if (this.#entries.get(remotePeer)?.session === session) this.#entries.delete(remotePeer)
  }

  has(peerId: string): boolean {
    return this.#entries.has(peerId)
  }

  get(peerId: string): Provider | undefined {
    const entry = this.#entries.get(peerId)
    return entry !== undefined && this.#isLive(entry) ? entry : undefined
  }

  candidates(model: string): Candidate[] {
    const found: Candidate[] = []
    for (const entry of this.#entries.values()) {
      const offer = this.#isLive(entry) ? offerOf(entry.record, model) : undefined
      if (offer !== undefined) found.push(candidate(entry, offer, this.#freshLoad(entry)))
    }
    return found
  }

  offer(peerId: string, model: string): ModelOffer | undefined {
    const entry = this.#entries.get(peerId)
    return entry === undefined ? undefined : offerOf(entry.record, model)
  }

  models(): Map<string, { offer: ModelOffer; providers: number }> {
    const found = new Map<string, { offer: ModelOffer; providers: number }>()
    for (const entry of this.#entries.values()) {
      if (!this.#isLive(entry)) continue
      for (const offer of entry.record.models) {
        const known = found.get(offer.id)
        const isLarger = known === undefined || offer.contextTokens > known.offer.contextTokens
        const providers = (known?.providers ?? 0) + 1
        found.set(offer.id, { offer: isLarger ? offer : known.offer, providers })
      }
    }
    return found
  }

  debit(peerId: string, model: string): () => void {
    const inFlight = this.#entries.get(peerId)?.inFlight
    if (inFlight === undefined) return () => {}
    inFlight.set(model, (inFlight.get(model) ?? 0) + 1)
    let isOpen = true
    return () => {
      if (isOpen) inFlight.set(model, Math.max(0, (inFlight.get(model) ?? 0) - 1))
      isOpen = false
    }
  }

  observation(peerId: string, model: string): Observed | undefined {
    const entry = this.#entries.get(peerId)
    if (entry === undefined) return undefined
    const known = entry.observed.get(model)
    if (known !== undefined) return known
    const fresh = observed()
    if (offerOf(entry.record, model) !== undefined) entry.observed.set(model, fresh)
    return fresh
  }

  #isLive(entry: Entry): boolean {
    return entry.session.isOpen && entry.record.expiresAtMs > this.#clock()
  }

  #freshLoad(entry: Entry): LoadHeartbeat | undefined {
    return this.#clock() - entry.loadAtMs < LOAD_LIFETIME_MS ? entry.load : undefined
  }
}

/** What the router sees of an entry. A stale heartbeat says nothing: then only our own requests count as busy. */
function candidate(entry: Entry, offer: ModelOffer, load: LoadHeartbeat | undefined): Candidate {
  const modelLoad = load?.models.find((model) => model.model === offer.id)
  const { slots, slotsBusy, queueLength } = modelLoad ?? {
    slots: offer.slots,
    slotsBusy: 0,
    queueLength: 0,
  }
  const seen = entry.observed.get(offer.id) ?? UNSEEN
  return {
    peerId: entry.peerId,
    slots,
    slotsBusy,
    queueLength,
    inFlight: entry.inFlight.get(offer.id) ?? 0,
    draining: load?.draining === true,
    prefillTokensPerSecond: seen.prefillTokensPerSecond(offer.prefillTokensPerSecond),
    decodeTokensPerSecond: seen.decodeTokensPerSecond(offer.decodeTokensPerSecond),
    restUntilMs: seen.restUntilMs,
  }
}

/** What is known of a model on a provider that has not answered yet; never written to. */
const UNSEEN: Observed = observed()

function offerOf(record: CapabilityRecord, model: string): ModelOffer | undefined {
  return record.models.find((offer) => offer.id === model)
}

function isNewer(load: LoadHeartbeat, known: LoadHeartbeat | undefined): boolean {
  if (known === undefined || Buffer.compare(load.bootId, known.bootId) !== 0) return true
  return load.sequence > known.sequence
}
