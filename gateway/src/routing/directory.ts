import { type CapabilityRecord, LexoraError, type LoadHeartbeat, LOAD_LIFETIME_MS, type ModelOffer } from '@lexora/protocol'
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
  const entries = new Map<string, Entry>()
  const { clock } = components

  function live(entry: Entry): boolean {
    return entry.session.isOpen && entry.record.expiresAtMs > clock()
  }

  function candidate(entry: Entry, offer: ModelOffer): Candidate {
    const fresh = entry.load !== undefined && clock() - entry.loadAtMs < LOAD_LIFETIME_MS ? entry.load : undefined
    const load = fresh?.models.find((model) => model.model === offer.id)
    const seen = entry.observed.get(offer.id)
    return {
      peerId: entry.peerId,
      slots: load?.slots ?? offer.slots,
      slotsBusy: load?.slotsBusy ?? 0,
      queueLength: load?.queueLength ?? 0,
      inFlight: entry.inFlight.get(offer.id) ?? 0,
      draining: fresh?.draining ?? false,
      prefillTokensPerSecond: (seen ?? observed()).prefillTokensPerSecond(offer.prefillTokensPerSecond),
      decodeTokensPerSecond: (seen ?? observed()).decodeTokensPerSecond(offer.decodeTokensPerSecond),
      restUntilMs: seen?.restUntilMs ?? 0,
    }
  }

  return {
    add(session, record, load) {
      const known = entries.get(session.remotePeer)
      if (known === undefined && entries.size >= PROVIDERS_MAX) {
        throw new LexoraError('rate_limited', 'this gateway holds as many providers as it can')
      }
      entries.set(session.remotePeer, {
        peerId: session.remotePeer,
        session,
        record,
        load,
        loadAtMs: clock(),
        inFlight: known?.inFlight ?? new Map(),
        observed: known?.observed ?? new Map(),
      })
    },
    updateRecord(peerId, record) {
      const entry = entries.get(peerId)
      if (entry !== undefined && record.sequence > entry.record.sequence) entry.record = record
    },
    updateLoad(peerId, load) {
      const entry = entries.get(peerId)
      if (entry === undefined || !isNewer(load, entry.load)) return
      entry.load = load
      entry.loadAtMs = clock()
    },
    remove(session) {
      if (entries.get(session.remotePeer)?.session === session) entries.delete(session.remotePeer)
    },
    has: (peerId) => entries.has(peerId),
    get(peerId) {
      const entry = entries.get(peerId)
      return entry !== undefined && live(entry) ? entry : undefined
    },
    get size() {
      return entries.size
    },
    candidates(model) {
      const found: Candidate[] = []
      for (const entry of entries.values()) {
        const offer = live(entry) ? offerOf(entry.record, model) : undefined
        if (offer !== undefined) found.push(candidate(entry, offer))
      }
      return found
    },
    offer(peerId, model) {
      const entry = entries.get(peerId)
      return entry === undefined ? undefined : offerOf(entry.record, model)
    },
    models() {
      const found = new Map<string, { offer: ModelOffer; providers: number }>()
      for (const entry of entries.values()) {
        if (!live(entry)) continue
        for (const offer of entry.record.models) {
          const known = found.get(offer.id)
          const larger = known === undefined || offer.contextTokens > known.offer.contextTokens ? offer : known.offer
          found.set(offer.id, { offer: larger, providers: (known?.providers ?? 0) + 1 })
        }
      }
      return found
    },
    debit(peerId, model) {
      const inFlight = entries.get(peerId)?.inFlight
      if (inFlight === undefined) return () => {}
      inFlight.set(model, (inFlight.get(model) ?? 0) + 1)
      let open = true
      return () => {
        if (open) inFlight.set(model, Math.max(0, (inFlight.get(model) ?? 0) - 1))
        open = false
      }
    },
    observation(peerId, model) {
      const entry = entries.get(peerId)
      if (entry === undefined) return undefined
      const known = entry.observed.get(model)
      if (known !== undefined) return known
      const fresh = observed()
      if (offerOf(entry.record, model) !== undefined) entry.observed.set(model, fresh)
      return fresh
    },
  }
}

function offerOf(record: CapabilityRecord, model: string): ModelOffer | undefined {
  return record.models.find((offer) => offer.id === model)
}

function isNewer(load: LoadHeartbeat, known: LoadHeartbeat | undefined): boolean {
  if (known === undefined || Buffer.compare(load.bootId, known.bootId) !== 0) return true
  return load.sequence > known.sequence
}
