import { LexoraError } from '../errors.ts'
import { type Call, type CallOptions, namedFrameBytes, OutgoingCalls, startCall } from './call.ts'
import { decodeError, encodeError } from './error-payload.ts'
import { createFrameDecoder, FRAME_HEADER_BYTES, FRAME_KINDS, type FrameKind } from './frame.ts'
import { CLOSE_GRACE_MS, SESSION_LIMITS, type SessionLimits } from './limits.ts'
import { type MeshLog, silentLog } from './log.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import { RequestServer, type SessionHandlers } from './serve.ts'
import type { SessionStream } from './session-stream.ts'
import { type RequestOptions, startRequest } from './unary.ts'

/**
 * One long-lived stream between two peers that carries all their requests, in both directions:
 *
 * 1. The end that opened the stream sends its hello; the other end judges it and answers with its own, or with an
 *    error. Nothing else is read before.
 * 2. Either end opens requests. Request ids belong to the end that opens and only grow.
 * 3. The other end answers with data frames and one end or error frame; cancel asks it to finish early.
 * 4. Notices need no request. An error with request id 0 says why a session ends.
 */
export interface Session {
  /** The peer's id, proven by the connection's handshake. */
  readonly remotePeer: string
  /** Who opened the stream: `outbound` is this end. */
  readonly direction: 'inbound' | 'outbound'
  readonly isOpen: boolean
  /** What the peer's hello said. */
  readonly remoteHello: Uint8Array
  /** Sends a request with a streamed answer. Never throws for the peer's doing: the frames do. */
  call(method: string, payload: Uint8Array, options: CallOptions): Call
  /** Sends a request with one message for an answer. Rejects with a LexoraError, as {@link Call.frames} throws. */
  request(method: string, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array>
  /** Sends a message without an answer. Does nothing on a closed session. Throws LexoraError `frame_too_large`. */
  notify(method: string, payload: Uint8Array): void
  /**
   * Calls the listener once when the session ends, soon if it has: with undefined after a `close()` here, otherwise
   * with the reason. Returns an unsubscribe.
   */
  onClose(listener: (error: LexoraError | undefined) => void): () => void
  /** Ends the session. The peer is told the reason; calls of both ends fail with `session_closed`. */
  close(reason?: LexoraError): void
}

/** What a session uses. */
export interface SessionComponents {
  readonly stream: SessionStream
  readonly log?: MeshLog
}

/** How a session begins. */
export interface SessionOptions {
  readonly remotePeer: string
  readonly direction: 'inbound' | 'outbound'
  /** This end's hello. */
  hello(): Uint8Array
  /** Judges the peer's hello: returns what it may ask, or throws a LexoraError that the peer is told. */
  accept(remotePeer: string, hello: Uint8Array): SessionHandlers
  /** Called once the peer is accepted, before any of its requests is read. */
  onSession?(session: Session): void
  /** Gives up waiting for the peer's hello. */
  readonly signal?: AbortSignal
  /** Limits other than {@link SESSION_LIMITS}. */
  readonly limits?: Partial<SessionLimits>
}

/**
 * Exchanges hellos and resolves with the open session. Rejects with the LexoraError that the peer or `accept` gave,
 * `timeout` without a hello in time, `session_closed`, `cancelled`, or the codes of a bad frame.
 */
export function establishSession(
  components: SessionComponents,
  options: SessionOptions,
): Promise<Session> {
  return new Promise((resolve, reject) => {
    const session = new StreamSession(components, options, { resolve, reject })
    session.start()
  })
}

interface Greeting {
  resolve(session: Session): void
  reject(error: LexoraError): void
}

const NOTHING = new Uint8Array(0)

class StreamSession implements Session {
  readonly remotePeer: string
  readonly direction: 'inbound' | 'outbound'
  readonly #stream: SessionStream
  readonly #log: MeshLog
  readonly #options: SessionOptions
  readonly #limits: SessionLimits
  readonly #outbox: Outbox
  readonly #calls: OutgoingCalls
  readonly #server: RequestServer
  readonly #decoder: ReturnType<typeof createFrameDecoder>
  readonly #greeting: Greeting
  readonly #listeners = new Set<(error: LexoraError | undefined) => void>()
  #state: 'greeting' | 'open' | 'closed' = 'greeting'
  #endedBy: LexoraError | undefined
  #remoteHello: Uint8Array = NOTHING
  #helloTimer: NodeJS.Timeout | undefined
  readonly #sink = (kind: FrameKind, id: number, payload: Uint8Array): void => {
    if (this.#state === 'open') this.#onFrame(kind, id, payload)
    else if (this.#state === 'greeting') this.#onGreeting(kind, id, payload)
  }
  readonly #onAbort = (): void => {
    this.#end(new LexoraError('cancelled', 'the session was given up before it opened'), 'tell')
  }

  constructor(components: SessionComponents, options: SessionOptions, greeting: Greeting) {
    this.remotePeer = options.remotePeer
    this.direction = options.direction
    this.#stream = components.stream
    this.#log = components.log ?? silentLog()
    this.#options = options
    this.#greeting = greeting
    const limits: SessionLimits = { ...SESSION_LIMITS, ...options.limits }
    this.#limits = limits
    this.#outbox = createOutbox(
      {
        stream: components.stream,
        failed: (error) => {
          this.#end(error, 'reset')
        },
      },
      { bytesMax: limits.writeBufferBytesMax, stallMs: limits.writeStallMs },
    )
    this.#calls = new OutgoingCalls(this.#outbox, limits)
    this.#server = new RequestServer(
      { session: this, outbox: this.#outbox, log: this.#log },
      limits,
    )
    this.#decoder = createFrameDecoder(limits.helloBytesMax + FRAME_HEADER_BYTES)
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get remoteHello(): Uint8Array {
    return this.#remoteHello
  }

  start(): void {
    this.#helloTimer = setTimeout(() => {
      const facts = { timeoutMs: this.#limits.helloMs }
      this.#end(new LexoraError('timeout', 'the peer did not say hello in time', { facts }), 'tell')
    }, this.#limits.helloMs)
    const { signal } = this.#options
    if (signal?.aborted === true) {
      this.#onAbort()
      return
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    if (this.direction === 'outbound') this.#sayHello()
    this.#stream.listen({
      received: (chunk) => {
        this.#onChunk(chunk)
      },
      drained: () => {
        this.#outbox.drained()
      },
      ended: (cause) => {
        this.#end(
          new LexoraError('session_closed', 'the peer is gone', cause && { cause }),
          'quietly',
        )
      },
    })
  }

  call(method: string, payload: Uint8Array, options: CallOptions): Call {
    return startCall(this.#calls, { method, payload }, options)
  }

  request(method: string, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    return startRequest(this.#calls, { method, payload }, options)
  }

  notify(method: string, payload: Uint8Array): void {
    const bytes = namedFrameBytes(method, payload)
    const bytesMax = this.#limits.frameBytesMax
    if (bytes > bytesMax) {
      throw new LexoraError('frame_too_large', 'the notice does not fit a frame', {
        facts: { bytes, bytesMax },
      })
    }
    if (this.#state === 'open') this.#outbox.appendNamed(FRAME_KINDS.notice, 0, { method, payload })
  }

  onClose(listener: (error: LexoraError | undefined) => void): () => void {
    if (this.#state === 'closed') {
      queueMicrotask(() => {
        this.#inform(listener)
      })
      return () => {}
    }
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(reason?: LexoraError): void {
    this.#end(reason, 'tell')
  }

  #sayHello(): void {
    this.#outbox.append(FRAME_KINDS.hello, 0, this.#options.hello())
  }

  #onChunk(chunk: Uint8Array): void {
    if (this.#state === 'closed') return
    this.#calls.arrivedAtMs = performance.now()
    try {
      this.#decoder.push(chunk, this.#sink)
    } catch (error) {
      if (!(error instanceof LexoraError)) {
        this.#log.error({ err: error, peer: this.remotePeer }, 'session failed on a frame')
      }
      const coded =
        error instanceof LexoraError ? error : new LexoraError('internal', 'the session failed')
      this.#end(coded, 'tell')
    }
  }

  #onGreeting(kind: FrameKind, id: number, payload: Uint8Array): void {
    if (kind === FRAME_KINDS.error && id === 0) {
      this.#end(decodeError(payload), 'quietly')
      return
    }
    if (kind !== FRAME_KINDS.hello || id !== 0) {
      throw new LexoraError('malformed', 'the peer sent a frame before its hello', {
        facts: { kind },
      })
    }
    const handlers = this.#options.accept(this.remotePeer, payload)
    // The owner's signal may have fired while it judged the hello.
    if (this.#state === 'closed') return
    this.#server.accept(handlers)
    if (this.direction === 'inbound') this.#sayHello()
    this.#remoteHello = payload
    this.#state = 'open'
    this.#decoder.limit(this.#limits.frameBytesMax)
    this.#stopWaiting()
    this.#options.onSession?.(this)
    this.#greeting.resolve(this)
  }

  #onFrame(kind: FrameKind, id: number, payload: Uint8Array): void {
    switch (kind) {
      case FRAME_KINDS.data:
        this.#calls.receiver(id)?.data(payload)
        break
      case FRAME_KINDS.end:
        this.#calls.receiver(id)?.end(payload)
        break
      case FRAME_KINDS.error:
        if (id === 0) this.#end(decodeError(payload), 'quietly')
        else this.#calls.receiver(id)?.fail(decodeError(payload))
        break
      case FRAME_KINDS.open:
        this.#server.open(id, payload)
        break
      case FRAME_KINDS.cancel:
        this.#server.cancel(id)
        break
      case FRAME_KINDS.notice:
        this.#server.notice(id, payload)
        break
      case FRAME_KINDS.hello:
        throw new LexoraError('malformed', 'the peer said hello twice')
    }
  }

  /** Ends everything once: `tell` sends the reason, `quietly` only closes, `reset` drops the stream. */
  #end(reason: LexoraError | undefined, how: 'tell' | 'quietly' | 'reset'): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#endedBy = reason
    this.#stopWaiting()
    const lost = sessionClosed(reason)
    this.#calls.close(lost)
    this.#server.close(lost)
    if (how === 'tell') {
      if (reason !== undefined) this.#outbox.append(FRAME_KINDS.error, 0, encodeError(reason))
      this.#outbox.flush()
    }
    this.#outbox.stop()
    if (how === 'reset') this.#stream.abort(lost)
    else this.#closeStream()
    this.#greeting.reject(reason ?? lost)
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) this.#inform(listener)
  }

  #stopWaiting(): void {
    clearTimeout(this.#helloTimer)
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }

  /** A stream's memory is freed when both halves are closed, so a peer that does not close its own is reset. */
  #closeStream(): void {
    const abort = (cause?: unknown): void => {
      this.#stream.abort(new LexoraError('session_closed', 'the session is over', { cause }))
    }
    this.#stream.close().catch(abort)
    setTimeout(abort, CLOSE_GRACE_MS).unref()
  }

  #inform(listener: (error: LexoraError | undefined) => void): void {
    try {
      listener(this.#endedBy)
    } catch (error) {
      this.#log.error({ err: error, peer: this.remotePeer }, 'session close listener failed')
    }
  }
}

function sessionClosed(reason: LexoraError | undefined): LexoraError {
  if (reason?.code === 'session_closed') return reason
  if (reason === undefined)
    return new LexoraError('session_closed', 'the session with the peer is closed')
  return new LexoraError('session_closed', 'the session with the peer is closed', {
    facts: { reason: reason.code },
    cause: reason,
  })
}
