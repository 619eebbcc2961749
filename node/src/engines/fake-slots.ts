/** A place that is taken. */
export interface FakeSlot {
  readonly cachedTokens: number
  /** Gives it back; what it computed is remembered. Only the first call counts. */
  free(ids: readonly number[]): void
}

/** Places that remember their last conversation, like the caches of a real engine. */
export interface FakeSlots {
  claim(prompt: readonly number[]): FakeSlot | undefined
}

interface Place {
  busy: boolean
  ids: readonly number[]
}

function sharedLength(left: readonly number[], right: readonly number[]): number {
  let length = 0
  while (length < left.length && length < right.length && left[length] === right[length]) length++
  return length
}

/** So many places, all empty. */
export function fakeSlots(count: number): FakeSlots {
  const places: Place[] = Array.from({ length: count }, () => ({ busy: false, ids: [] }))
  return {
    claim(prompt) {
      const shared = (place: Place): number =>
        Math.min(sharedLength(place.ids, prompt), prompt.length - 1)
      const [place] = places.filter(({ busy }) => !busy).sort((a, b) => shared(b) - shared(a))
      if (place === undefined) return undefined
      const cachedTokens = shared(place)
      place.busy = true
      let held = true
      return {
        cachedTokens,
        free(ids) {
          if (!held) return
          held = false
          place.busy = false
          place.ids = ids
        },
      }
    },
  }
}
