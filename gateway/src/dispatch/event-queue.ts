/** Hands events from a task that runs by itself to one consumer that may leave at any time. */
export interface EventQueue<T> {
  push(event: T): void
  /** Ends the queue, with an error where given. Later pushes are dropped. */
  end(error?: Error): void
  /** What the consumer iterates. Leaving early calls `onLeave`. */
  readonly events: AsyncIterable<T>
}

/**
 * Makes a queue. It needs no bound of its own: what enters is capped by the byte limit of the response that feeds it.
 */
export function eventQueue<T>(onLeave: () => void): EventQueue<T> {
  let items: T[] = []
  let ended = false
  let failure: Error | undefined
  let wake: (() => void) | undefined

  function signal(): void {
    wake?.()
    wake = undefined
  }

  async function* drain(): AsyncGenerator<T> {
    try {
      for (;;) {
        const batch = items
        items = []
        yield* batch
        if (items.length > 0) continue
        if (ended) break
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      if (failure !== undefined) throw failure
    } finally {
      onLeave()
    }
  }

  return {
    push(event) {
      if (ended) return
      items.push(event)
      signal()
    },
    end(error) {
      if (ended) return
      ended = true
      failure = error
      signal()
    },
    events: drain(),
  }
}
