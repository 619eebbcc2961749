import type { LlamaContext, LlamaContextSequence, Token } from 'node-llama-cpp'

/** One place for a chat: a sequence of the context with what it remembers. */
export interface Slot {
  /** Makes the sequence hold exactly the prompt's first `cachedTokens`, as promised by the claim. */
  prepare(): Promise<LlamaContextSequence>
  /** How many of the prompt's tokens the sequence holds already. */
  readonly cachedTokens: number
  /** Gives the place back. A broken one starts empty next time. */
  free(state: 'whole' | 'broken'): void
}

/** The places of one context. */
export interface Slots {
  /** The free place that remembers the longest beginning of the prompt, among equals the one unused for longest. */
  claim(prompt: readonly Token[]): Slot | undefined
  readonly freeCount: number
}

interface Place {
  sequence: LlamaContextSequence
  busy: boolean
  broken: boolean
  /** Order of use: higher is more recent. */
  usedAt: number
}

/** Tokens that two lists share from the beginning. */
function sharedLength(left: readonly Token[], right: readonly Token[]): number {
  let length = 0
  while (length < left.length && length < right.length && left[length] === right[length]) length++
  return length
}

/** Takes all sequences of the context. `count` is how many it was made with. */
export function llamaSlots(context: LlamaContext, count: number): Slots {
  let uses = 0
  const places: Place[] = Array.from({ length: count }, () => ({
    sequence: context.getSequence(),
    busy: false,
    broken: false,
    usedAt: 0,
  }))

  /** The last prompt token is always computed: its evaluation draws the first token. */
  function reusable(place: Place, prompt: readonly Token[]): number {
    // Models whose state cannot be cut at any token (recurrent ones, sliding windows) start anew.
    if (place.broken || place.sequence.needsCheckpoints) return 0
    return Math.min(sharedLength(place.sequence.contextTokens, prompt), prompt.length - 1)
  }

  async function prepare(place: Place, kept: Token[]): Promise<LlamaContextSequence> {
    if (place.broken) {
      await place.sequence.dispose()
      place.sequence = context.getSequence()
      place.broken = false
    }
    if (place.sequence.nextTokenIndex > kept.length) {
      await place.sequence.adaptStateToTokens(kept, false)
    }
    return place.sequence
  }

  return {
    get freeCount() {
      return places.filter((place) => !place.busy).length
    },
    claim(prompt) {
      const free = places
        .filter((place) => !place.busy)
        .map((place) => ({ place, cachedTokens: reusable(place, prompt) }))
        .sort((a, b) => b.cachedTokens - a.cachedTokens || a.place.usedAt - b.place.usedAt)
      const best = free[0]
      if (best === undefined) return undefined
      const { place, cachedTokens } = best
      place.busy = true
      place.usedAt = ++uses
      return {
        cachedTokens,
        prepare: async () => await prepare(place, prompt.slice(0, cachedTokens)),
        free(state) {
          place.broken ||= state === 'broken'
          place.busy = false
        },
      }
    },
  }
}
