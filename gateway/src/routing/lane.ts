import type { LoadHeartbeat, ModelOffer } from '@lexora/protocol'
import type { Candidate } from './candidate.ts'
import type { Observed } from './observed.ts'

/** One model on one provider, kept up to date by the directory so that a decision only reads. */
export class Lane implements Candidate {
  readonly peerId: string
  readonly observed: Observed
  offer: ModelOffer
  slots: number
  slotsBusy = 0
  queueLength = 0
  draining = false
  inFlight = 0

  constructor(peerId: string, offer: ModelOffer, seen: Observed) {
    this.peerId = peerId
    this.offer = offer
    this.observed = seen
    this.slots = offer.slots
  }

  get prefillTokensPerSecond(): number {
    return this.observed.prefillTokensPerSecond(this.offer.prefillTokensPerSecond)
  }

  get decodeTokensPerSecond(): number {
    return this.observed.decodeTokensPerSecond(this.offer.decodeTokensPerSecond)
  }

  get restUntilMs(): number {
    return this.observed.restUntilMs
  }

  get fullUntilMs(): number {
    return this.observed.fullUntilMs
  }

  /** Takes what a heartbeat says of this model. Where there is none, only our own requests count as busy. */
  takeLoad(load: LoadHeartbeat | undefined): void {
    const said = load?.models.find(({ model }) => model === this.offer.id)
    this.slots = said?.slots ?? this.offer.slots
    this.slotsBusy = said?.slotsBusy ?? 0
    this.queueLength = said?.queueLength ?? 0
    this.draining = load?.draining === true
  }

  /** This moment's values, for whoever keeps them. */
  snapshot(): Candidate {
    const { peerId, slots, slotsBusy, queueLength, inFlight, draining } = this
    const { prefillTokensPerSecond, decodeTokensPerSecond, restUntilMs, fullUntilMs } = this
    return {
      peerId,
      slots,
      slotsBusy,
      queueLength,
      inFlight,
      draining,
      prefillTokensPerSecond,
      decodeTokensPerSecond,
      restUntilMs,
      fullUntilMs,
    }
  }
}

/** The lanes of each model. */
export interface LaneIndex {
  add(lane: Lane): void
  remove(lane: Lane): void
  /** The lanes of a model, as they are now. */
  of(model: string): ReadonlySet<Lane>
  models(): Iterable<string>
  /** The largest context among a model's lanes; undefined where it has none. */
  contextTokensMax(model: string): number | undefined
  /** Must be told of a lane whose offer changed. */
  changed(lane: Lane): void
}

interface Shelf {
  lanes: Set<Lane>
  /** Computed when it is asked for after a change. */
  contextTokensMax: number | undefined
}

const NONE: ReadonlySet<Lane> = new Set()

/** Makes an empty index. */
export function createLaneIndex(): LaneIndex {
  const shelves = new Map<string, Shelf>()

  function changed(lane: Lane): void {
    const shelf = shelves.get(lane.offer.id)
    if (shelf !== undefined) shelf.contextTokensMax = undefined
  }

  return {
    add(lane) {
      const model = lane.offer.id
      const shelf = shelves.get(model) ?? { lanes: new Set(), contextTokensMax: undefined }
      shelves.set(model, shelf)
      shelf.lanes.add(lane)
      changed(lane)
    },
    remove(lane) {
      const shelf = shelves.get(lane.offer.id)
      if (shelf === undefined) return
      shelf.lanes.delete(lane)
      if (shelf.lanes.size === 0) shelves.delete(lane.offer.id)
      else changed(lane)
    },
    of: (model) => shelves.get(model)?.lanes ?? NONE,
    models: () => shelves.keys(),
    contextTokensMax(model) {
      const shelf = shelves.get(model)
      if (shelf === undefined) return undefined
      if (shelf.contextTokensMax === undefined) {
        let largest = 0
        for (const { offer } of shelf.lanes) largest = Math.max(largest, offer.contextTokens)
        shelf.contextTokensMax = largest
      }
      return shelf.contextTokensMax
    },
    changed,
  }
}
