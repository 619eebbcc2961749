import {
  type CapabilityRecord,
  LexoraError,
  LOAD_LIFETIME_MS,
  type LoadHeartbeat,
  type ModelOffer,
} from '@lexora/protocol'
import type { Session } from '@lexora/protocol/mesh'
import type { Candidate } from './candidate.ts'
import { createLaneIndex, Lane, type LaneIndex } from './lane.ts'
import { type Observed, observed } from './observed.ts'

/** Most providers that one gateway keeps sessions with: each costs a connection of about 60 KiB and a heartbeat. */
export const PROVIDERS_MAX: number = 10_000

/** Most providers that left and whose observations are kept, about 1 KiB each: leaving must not wipe a slate clean. */
const DEPARTED_MAX = 10_000

/** A provider that can be asked now: it has an open session and a valid record. */
export interface Provider {
  readonly peerId: string
  readonly session: Session
  readonly record: CapabilityRecord
}

type Observations = Map<string, Observed>

/** What the directory adds to a provider; only the directory writes it. */
interface Entry {
  peerId: string
  /** The one that is asked: the newest of `sessions`. */
  session: Session
  /** Open sessions, oldest first: two for a moment when both ends dialled at once. */
  sessions: Session[]
  record: CapabilityRecord
  load: LoadHeartbeat | undefined
  /** Unix ms from which the load says nothing any more. */
  loadUntilMs: number
  lanes: Map<string, Lane>
  observations: Observations
}

/** Who serves what, from this gateway's own sessions. Only self-signed statements of the peer itself enter it. */
export interface Directory {
  /** Adds or replaces the provider behind a session. Throws `rate_limited` when the directory is full. */
  add(session: Session, record: CapabilityRecord, load: LoadHeartbeat | undefined): void
  /** Takes a newer record or load of a known provider; an older or foreign one is ignored. */
  updateRecord(peerId: string, record: CapabilityRecord): void
  updateLoad(peerId: string, load: LoadHeartbeat): void
  /** Forgets a session that ended. The provider stays while another session of its own is open. */
  remove(session: Session): void
  /** Forgets a provider that says that it leaves, with all its sessions. */
  forget(peerId: string): void
  has(peerId: string): boolean
  get(peerId: string): Provider | undefined
  readonly size: number
  /** What the router chooses from: live objects, to be read at once. Whether one can be asked now is `get`'s word. */
  lanes(model: string): Iterable<Candidate>
  /** A copy of one moment's candidates for a model, all of which can be asked: what a ranking explains. */
  candidates(model: string): Candidate[]
  /** The offer of a model by one provider. */
  offer(peerId: string, model: string): ModelOffer | undefined
  /** Every model that somebody serves now, with the number of providers and the largest context. */
  models(): Map<string, { offer: ModelOffer; providers: number }>
  /** The largest context that anyone offers for a model, tokens; undefined where nobody serves it. */
  contextTokensMax(model: string): number | undefined
  /** Counts a request of ours until the returned function is called (once or more). */
  debit(peerId: string, model: string): () => void
  /** This gateway's observation of a model on a provider. It outlives the provider's sessions. */
  observation(peerId: string, model: string): Observed | undefined
}

/** Makes an empty directory. `clock` is Unix time in ms. */
export function createDirectory(components: { clock: () => number }): Directory {
  return new LiveDirectory(components.clock)
}

class LiveDirectory implements Directory {
  readonly #entries = new Map<string, Entry>()
  readonly #index: LaneIndex = createLaneIndex()
  /** Observations of providers that left, oldest first. */
  readonly #departed = new Map<string, Observations>()
  readonly #clock: () => number
  /** Unix ms before which no load grows stale. */
  #staleAtMs = Number.POSITIVE_INFINITY

  constructor(clock: () => number) {
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  add(session: Session, record: CapabilityRecord, load: LoadHeartbeat | undefined): void {
    const entry = this.#entries.get(session.remotePeer) ?? this.#enter(session, record)
    entry.sessions = [...entry.sessions.filter((other) => other !== session), session]
    entry.session = session
    this.#setRecord(entry, record)
    this.#setLoad(entry, load)
  }

  updateRecord(peerId: string, record: CapabilityRecord): void {
    const entry = this.#entries.get(peerId)
    if (entry === undefined || record.sequence <= entry.record.sequence) return
    this.#setRecord(entry, record)
  }

  updateLoad(peerId: string, load: LoadHeartbeat): void {
    const entry = this.#entries.get(peerId)
    if (entry !== undefined && isNewer(load, entry.load)) this.#setLoad(entry, load)
  }

  remove(session: Session): void {
    const entry = this.#entries.get(session.remotePeer)
    if (entry === undefined) return
    entry.sessions = entry.sessions.filter((other) => other !== session)
    const newest = entry.sessions.at(-1)
    if (newest === undefined) this.forget(entry.peerId)
    else entry.session = newest
  }

  forget(peerId: string): void {
    const entry = this.#entries.get(peerId)
    if (entry === undefined) return
    this.#entries.delete(peerId)
    for (const lane of entry.lanes.values()) this.#index.remove(lane)
    this.#departed.set(peerId, entry.observations)
    const [oldest] = this.#departed.keys()
    if (this.#departed.size > DEPARTED_MAX && oldest !== undefined) this.#departed.delete(oldest)
  }

  has(peerId: string): boolean {
    return this.#entries.has(peerId)
  }

  get(peerId: string): Provider | undefined {
    const entry = this.#entries.get(peerId)
    return entry !== undefined && this.#isLive(entry) ? entry : undefined
  }

  lanes(model: string): ReadonlySet<Candidate> {
    this.#dropStaleLoads()
    return this.#index.of(model)
  }

  candidates(model: string): Candidate[] {
    this.#dropStaleLoads()
    const found: Candidate[] = []
    for (const lane of this.#index.of(model)) {
      if (this.get(lane.peerId) !== undefined) found.push(lane.snapshot())
    }
    return found
  }

  offer(peerId: string, model: string): ModelOffer | undefined {
    return this.#entries.get(peerId)?.lanes.get(model)?.offer
  }

  models(): Map<string, { offer: ModelOffer; providers: number }> {
    const found = new Map<string, { offer: ModelOffer; providers: number }>()
    for (const model of this.#index.models()) {
      let providers = 0
      let largest: ModelOffer | undefined
      for (const { peerId, offer } of this.#index.of(model)) {
        if (this.get(peerId) === undefined) continue
        providers++
        if (offer.contextTokens > (largest?.contextTokens ?? 0)) largest = offer
      }
      if (largest !== undefined) found.set(model, { offer: largest, providers })
    }
    return found
  }

  contextTokensMax(model: string): number | undefined {
    return this.#index.contextTokensMax(model)
  }

  debit(peerId: string, model: string): () => void {
    const lane = this.#entries.get(peerId)?.lanes.get(model)
    if (lane === undefined) return () => {}
    lane.inFlight++
    let isOpen = true
    return () => {
      if (isOpen) lane.inFlight--
      isOpen = false
    }
  }

  observation(peerId: string, model: string): Observed | undefined {
    return this.#entries.get(peerId)?.lanes.get(model)?.observed
  }

  /** Makes room for a new provider, with what is remembered of it. */
  #enter(session: Session, record: CapabilityRecord): Entry {
    if (this.#entries.size >= PROVIDERS_MAX) {
      throw new LexoraError('rate_limited', 'this gateway holds as many providers as it can')
    }
    const peerId = session.remotePeer
    const observations = this.#departed.get(peerId) ?? new Map<string, Observed>()
    this.#departed.delete(peerId)
    const entry: Entry = {
      peerId,
      session,
      sessions: [],
      record,
      load: undefined,
      loadUntilMs: Number.POSITIVE_INFINITY,
      lanes: new Map(),
      observations,
    }
    this.#entries.set(peerId, entry)
    return entry
  }

  /** A model that stays keeps its lane and so its running requests. */
  #setRecord(entry: Entry, record: CapabilityRecord): void {
    entry.record = record
    const { lanes } = entry
    const offered = new Map(record.models.map((offer) => [offer.id, offer]))
    for (const [model, lane] of lanes) {
      if (offered.has(model)) continue
      lanes.delete(model)
      this.#index.remove(lane)
    }
    for (const [model, offer] of offered) {
      const lane = lanes.get(model) ?? new Lane(entry.peerId, offer, seenOf(entry, model))
      lane.offer = offer
      lane.takeLoad(entry.load)
      lanes.set(model, lane)
      this.#index.add(lane)
    }
    // What was seen of models that are gone goes too, so that a record a minute does not fill the memory; a rest stays,
    // or a provider could shake it off with two records.
    const nowMs = this.#clock()
    for (const [model, seen] of entry.observations) {
      if (!offered.has(model) && seen.restUntilMs <= nowMs) entry.observations.delete(model)
    }
  }

  #setLoad(entry: Entry, load: LoadHeartbeat | undefined): void {
    entry.load = load
    entry.loadUntilMs =
      load === undefined ? Number.POSITIVE_INFINITY : this.#clock() + LOAD_LIFETIME_MS
    this.#staleAtMs = Math.min(this.#staleAtMs, entry.loadUntilMs)
    for (const lane of entry.lanes.values()) lane.takeLoad(load)
  }

  /** A stale heartbeat says nothing. Looks at all entries once in a lifetime of loads, not at each decision. */
  #dropStaleLoads(): void {
    const nowMs = this.#clock()
    if (nowMs < this.#staleAtMs) return
    this.#staleAtMs = Number.POSITIVE_INFINITY
    for (const entry of this.#entries.values()) {
      if (entry.loadUntilMs <= nowMs) this.#setLoad(entry, undefined)
      else this.#staleAtMs = Math.min(this.#staleAtMs, entry.loadUntilMs)
    }
  }

  #isLive(entry: Entry): boolean {
    return entry.session.isOpen && entry.record.expiresAtMs > this.#clock()
  }
}

function seenOf({ observations }: Entry, model: string): Observed {
  const seen = observations.get(model) ?? observed()
  observations.set(model, seen)
  return seen
}

function isNewer(load: LoadHeartbeat, known: LoadHeartbeat | undefined): boolean {
  if (known === undefined || Buffer.compare(load.bootId, known.bootId) !== 0) return true
  return load.sequence > known.sequence
}
