import type { Stream } from '@libp2p/interface'

/** What a session needs of a byte stream, so that it runs over libp2p and over a pair in memory alike. */
export interface SessionStream {
  /** Bytes that `send` took and that have not left this stream. */
  readonly bufferedBytes: number
  /** Whether `send` must wait for `drained`. */
  readonly needsDrain: boolean
  /** Takes bytes. False asks to wait for `drained`; throws when the stream is closed. */
  send(bytes: Uint8Array): boolean
  /** Starts delivery; called once. */
  listen(listener: SessionStreamListener): void
  /** Closes this end for writing after what was sent. */
  close(): Promise<void>
  /** Drops the stream at once. */
  abort(error: Error): void
}

/** What a stream tells its session. */
export interface SessionStreamListener {
  received(chunk: Uint8Array): void
  drained(): void
  /** The other end sends no more, with or without an error. May be called more than once. */
  ended(error: Error | undefined): void
}

/**
 * A libp2p stream as a session's stream. It uses the `drain` event, since `stream.onDrain()` resolves at once after
 * its first use, and the `message` event, since async iteration has neither back-pressure nor errors here.
 */
export function fromLibp2pStream(stream: Stream): SessionStream {
  return {
    get bufferedBytes(): number {
      return stream.writeBufferLength
    },
    get needsDrain(): boolean {
      return stream.writableNeedsDrain
    },
    send: (bytes) => stream.send(bytes),
    listen: (listener) => {
      listen(stream, listener)
    },
    close: () => stream.close(),
    abort: (error) => {
      stream.abort(error)
    },
  }
}

function listen(stream: Stream, listener: SessionStreamListener): void {
  stream.addEventListener('message', (event) => {
    const { data } = event
    if (data instanceof Uint8Array) listener.received(data)
    else for (const chunk of data) listener.received(chunk)
  })
  stream.addEventListener('drain', () => {
    listener.drained()
  })
  stream.addEventListener('remoteCloseWrite', () => {
    listener.ended(undefined)
  })
  stream.addEventListener('close', (event) => {
    listener.ended(event.error)
  })
  // Both events may have fired before anybody listened; buffered bytes are delivered in a microtask before this.
  if (stream.status !== 'open' || stream.remoteWriteStatus === 'closed') {
    setImmediate(() => {
      listener.ended(undefined)
    })
  }
}
