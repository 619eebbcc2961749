import type {
  SessionStream,
  SessionStreamListener,
} from '../../../protocol/src/mesh/session-stream.ts'

/** One end of a pair of streams in memory, with what a test may see and do to it. */
export interface MemoryStream extends SessionStream {
  /** Every write, in order. */
  readonly writes: Uint8Array[]
  /** Whether the stream was reset from this end. */
  readonly aborted: boolean
  /** Makes this end refuse bytes, as a peer that does not read does; what it takes meanwhile is buffered. */
  block(): void
  /** Lets bytes go on. */
  unblock(): void
}

/** Two ends that deliver on a later turn of the event loop, in order, in pieces of at most `chunkBytes`. */
export function memoryPair(chunkBytes: number = 64 * 1024): [MemoryStream, MemoryStream] {
  const left = new MemoryEnd(chunkBytes)
  const right = new MemoryEnd(chunkBytes)
  left.other = right
  right.other = left
  return [left, right]
}

class MemoryEnd implements MemoryStream {
  readonly writes: Uint8Array[] = []
  other: MemoryEnd | undefined
  aborted = false
  needsDrain = false
  bufferedBytes = 0
  #buffered: Uint8Array[] = []
  #listener: SessionStreamListener | undefined
  #early: (() => void)[] = []
  #writable = true
  readonly #chunkBytes: number

  constructor(chunkBytes: number) {
    this.#chunkBytes = chunkBytes
  }

  send(bytes: Uint8Array): boolean {
    if (!this.#writable) throw new Error('the stream is closed')
    this.writes.push(bytes)
    if (this.needsDrain || this.#blocked) {
      this.needsDrain = true
      this.bufferedBytes += bytes.length
      this.#buffered.push(bytes)
      return false
    }
    this.#deliver(bytes)
    return true
  }

  #blocked = false

  block(): void {
    this.#blocked = true
  }

  unblock(): void {
    this.#blocked = false
    this.needsDrain = false
    this.bufferedBytes = 0
    for (const bytes of this.#buffered.splice(0)) this.#deliver(bytes)
    this.#listener?.drained()
  }

  listen(listener: SessionStreamListener): void {
    this.#listener = listener
    for (const event of this.#early.splice(0)) event()
  }

  close(): Promise<void> {
    if (this.#writable) {
      this.#writable = false
      this.other?.later((listener) => {
        listener.ended(undefined)
      })
    }
    return Promise.resolve()
  }

  abort(error: Error): void {
    this.aborted = true
    if (!this.#writable) return
    this.#writable = false
    this.other?.later((listener) => {
      listener.ended(new Error('reset', { cause: error }))
    })
  }

  #deliver(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += this.#chunkBytes) {
      const chunk = bytes.slice(at, at + this.#chunkBytes)
      this.other?.later((listener) => {
        listener.received(chunk)
      })
    }
  }

  later(event: (listener: SessionStreamListener) => void): void {
    setImmediate(() => {
      const run = (): void => {
        if (this.#listener !== undefined) event(this.#listener)
      }
      if (this.#listener === undefined) this.#early.push(run)
      else run()
    })
  }
}
