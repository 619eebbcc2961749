/** Hands events from a task that runs by itself to one consumer that may leave at any time. */
export interface EventQueue<T> {
  push(event: T): void
  /** Ends the queue, with an error where given. Later pushes are dropped. */
  end(error?: Error): void
  /** What the consumer iterates, once. `onLeave` is called when it is through or leaves early. */
  readonly events: AsyncIterable<T>
}

/**
 * Makes a queue. It needs no bound of its own: what enters is capped by the byte limit of the response that feeds it.
 */
export function eventQueue<T>(onLeave: () => void): EventQueue<T> {
  let items: T[] = []
  let ended = false
  let left = false
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
      leave()
    }
  }

  function leave(): void {
    if (left) return
    left = true
    ended = true
    items = []
    onLeave()
    signal()
  }

  const events = drain()
  const iterator: AsyncIterator<T> = {
    next: () => events.next(),
    // Not the generator's own: it would wait behind a pending next(), and before the first next() it does nothing.
    return() {
      leave()
      return events.return(undefined)
    },
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
    events: { [Symbol.asyncIterator]: () => iterator },
  }
}
