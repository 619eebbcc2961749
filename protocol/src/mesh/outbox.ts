import { LexoraError } from '../errors.ts'
import { createFrameWriter, type FrameKind } from './frame.ts'
import type { SessionStream } from './session-stream.ts'

/** What an outbox uses. */
export interface OutboxComponents {
  readonly stream: SessionStream
  /** Called once, when the peer does not take what is sent or the stream refuses it. */
  readonly failed: (error: LexoraError) => void
}

/** Limits of an outbox. */
export interface OutboxOptions {
  /** Bytes waiting here and in the stream. */
  readonly bytesMax: number
  /** Time that the stream may refuse bytes, in milliseconds. */
  readonly stallMs: number
}

/**
 * Sends the frames of a session: all that is appended in one turn of the event loop leaves in one write, which costs
 * a fifth to a tenth of a write per frame (a libp2p write is two socket writes and a window update from the peer).
 */
export interface Outbox {
  /** Adds a frame to this turn's write. Does nothing once stopped. */
  append(kind: FrameKind, requestId: number, payload: Uint8Array): void
  /** Adds an `open` or `notice` frame to this turn's write. Does nothing once stopped. */
  appendNamed(
    kind: FrameKind,
    requestId: number,
    named: { method: string; payload: Uint8Array },
  ): void
  /** Writes now what was appended, if the stream takes it. */
  flush(): void
  /** The stream takes bytes again. */
  drained(): void
  /** Resolves when little is waiting, for a sender of large payloads; rejects with `session_closed` when stopped. */
  settled(): Promise<void>
  /** Drops what waits and writes nothing more. */
  stop(): void
}

/** Makes the outbox of one stream. */
export function createOutbox(components: OutboxComponents, options: OutboxOptions): Outbox {
  return new TurnOutbox(components, options)
}

class TurnOutbox implements Outbox {
  readonly #stream: SessionStream
  readonly #failed: (error: LexoraError) => void
  readonly #options: OutboxOptions
  readonly #writer = createFrameWriter()
  readonly #flushNow = (): void => {
    this.#scheduled = false
    this.flush()
  }
  #scheduled = false
  #stopped = false
  #stallTimer: NodeJS.Timeout | undefined
  #waiting: { resolve: () => void; reject: (error: LexoraError) => void }[] = []

  constructor(components: OutboxComponents, options: OutboxOptions) {
    this.#stream = components.stream
    this.#failed = components.failed
    this.#options = options
  }

  append(kind: FrameKind, requestId: number, payload: Uint8Array): void {
    if (this.#stopped) return
    this.#writer.append(kind, requestId, payload)
    this.#added()
  }

  appendNamed(
    kind: FrameKind,
    requestId: number,
    named: { method: string; payload: Uint8Array },
  ): void {
    if (this.#stopped) return
    this.#writer.appendNamed(kind, requestId, named)
    this.#added()
  }

  flush(): void {
    if (this.#stopped) return
    if (this.#stream.needsDrain) {
      this.#watch()
      return
    }
    try {
      if (this.#writer.byteLength > 0 && !this.#stream.send(this.#writer.take())) this.#watch()
    } catch (cause) {
      this.#fail(new LexoraError('session_closed', 'the stream to the peer is closed', { cause }))
      return
    }
    this.#release()
  }

  drained(): void {
    clearTimeout(this.#stallTimer)
    this.#stallTimer = undefined
    this.#schedule()
  }

  settled(): Promise<void> {
    if (this.#stopped) return Promise.reject(closedError())
    if (this.#isLow()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
    })
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#stallTimer)
    for (const waiter of this.#waiting.splice(0)) waiter.reject(closedError())
  }

  #added(): void {
    this.#schedule()
    const bytes = this.#writer.byteLength + this.#stream.bufferedBytes
    if (bytes <= this.#options.bytesMax) return
    const facts = { reason: 'slow_peer', bytes, bytesMax: this.#options.bytesMax }
    this.#fail(
      new LexoraError('session_closed', 'the peer reads more slowly than it asks', { facts }),
    )
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#flushNow)
  }

  /** Starts the clock that closes a session whose peer takes nothing. Each drain restarts it. */
  #watch(): void {
    this.#stallTimer ??= setTimeout(() => {
      const facts = { reason: 'slow_peer', stallMs: this.#options.stallMs }
      this.#fail(new LexoraError('session_closed', 'the peer has stopped reading', { facts }))
    }, this.#options.stallMs)
  }

  #isLow(): boolean {
    return this.#writer.byteLength + this.#stream.bufferedBytes <= this.#options.bytesMax / 16
  }

  #release(): void {
    if (this.#waiting.length === 0 || !this.#isLow()) return
    for (const waiter of this.#waiting.splice(0)) waiter.resolve()
  }

  #fail(error: LexoraError): void {
    if (this.#stopped) return
    this.stop()
    this.#failed(error)
  }
}

function closedError(): LexoraError {
  return new LexoraError('session_closed', 'the session with the peer is closed')
}
