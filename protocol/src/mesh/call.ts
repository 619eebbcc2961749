import { LexoraError } from '../errors.ts'
import { FRAME_KINDS, REQUEST_ID_MAX } from './frame.ts'
import {
  CALL_CANCEL_GRACE_MS,
  CALL_IDLE_MS,
  METHOD_BYTES_MAX,
  type SessionLimits,
} from './limits.ts'
import type { Outbox } from './outbox.ts'

/**
 * One frame of an answer. The payload is a view of received bytes: copy what is kept for long with `Uint8Array.from`
 * (it may be a Buffer, whose `slice` is a view again).
 */
export interface CallFrame {
  readonly kind: 'data' | 'end'
  readonly payload: Uint8Array
}

/** A request under way. */
export interface Call {
  /**
   * The answer, to be read once. Its last frame is always an `end`; otherwise it throws a LexoraError: the other end's
   * own code, `session_closed` when the session ended (a killed peer looks like a clean end of stream), `timeout`,
   * `cancelled`, `frame_too_large` above `maxResponseBytes`, `provider_busy` with too many open requests, `malformed`.
   * Leaving the loop early cancels.
   */
  readonly frames: AsyncIterable<CallFrame>
  /** Tells the other end to stop. Frames go on until its terminal frame, or end with `cancelled` after the grace. */
  cancel(): void
}

/** How long a call may take and how much it may bring. */
export interface CallOptions {
  /** Cancels like {@link Call.cancel}. */
  readonly signal?: AbortSignal
  /** Time until the first frame of the answer. */
  readonly firstFrameTimeoutMs: number
  /** Time between two frames. Default 30 s. */
  readonly idleTimeoutMs?: number
  /** Bytes of all payloads of the answer together: they replace flow control. */
  readonly maxResponseBytes: number
  /** Time for the other end's terminal frame after a cancel. Default 2 s. */
  readonly cancelGraceMs?: number
}

/** Receives what belongs to one open request. Never throws. */
export interface Receiver {
  data(payload: Uint8Array): void
  end(payload: Uint8Array): void
  fail(error: LexoraError): void
}

/** The requests that this end has open on one session. */
export class OutgoingCalls {
  /** When the newest bytes arrived: one reading of the clock per chunk instead of one per frame. */
  arrivedAtMs: number = performance.now()
  readonly #outbox: Outbox
  readonly #limits: SessionLimits
  readonly #open = new Map<number, Receiver>()
  #lastId = 0
  #closed: LexoraError | undefined

  constructor(outbox: Outbox, limits: SessionLimits) {
    this.#outbox = outbox
    this.#limits = limits
  }

  /** Sends a request and returns its id. Where it cannot be sent, the receiver fails at once and the id is 0. */
  start(method: string, payload: Uint8Array, receiver: Receiver): number {
    const refusal = this.#closed ?? this.#refusal(method, payload)
    if (refusal !== undefined) {
      receiver.fail(refusal)
      return 0
    }
    this.#lastId += 1
    const id = this.#lastId
    this.#open.set(id, receiver)
    this.#outbox.appendNamed(FRAME_KINDS.open, id, { method, payload })
    return id
  }

  /** Tells the other end to stop; frames still arrive. */
  cancel(id: number): void {
    if (this.#open.has(id)) this.#outbox.append(FRAME_KINDS.cancel, id, NOTHING)
  }

  /** Ends a request on this side; its late frames are ignored. */
  forget(id: number): void {
    this.#open.delete(id)
  }

  /**
   * The receiver of a frame from the other end; undefined for a request that is over. Throws LexoraError `malformed`
   * for one that was never opened.
   */
  receiver(id: number): Receiver | undefined {
    const receiver = this.#open.get(id)
    if (receiver === undefined && (id === 0 || id > this.#lastId)) {
      throw new LexoraError('malformed', 'the peer answered a request that was never sent', {
        facts: { id },
      })
    }
    return receiver
  }

  /** Fails every open request and every later one. */
  close(error: LexoraError): void {
    this.#closed = error
    const open = [...this.#open.values()]
    this.#open.clear()
    for (const receiver of open) receiver.fail(error)
  }

  #refusal(method: string, payload: Uint8Array): LexoraError | undefined {
    const bytes = namedFrameBytes(method, payload)
    const bytesMax = this.#limits.frameBytesMax
    if (bytes > bytesMax) {
      return new LexoraError('frame_too_large', 'the request does not fit a frame', {
        facts: { bytes, bytesMax },
      })
    }
    if (this.#open.size >= this.#limits.outboundRequestsMax) {
      const facts = { open: this.#open.size }
      return new LexoraError('provider_busy', 'too many requests are open on this session', {
        facts,
      })
    }
    if (this.#lastId < REQUEST_ID_MAX) return undefined
    return new LexoraError('session_closed', 'this session has used all its request ids')
  }
}

/** The length of an `open` or `notice` frame after its length field. Throws on a method name that no frame can carry. */
export function namedFrameBytes(method: string, payload: Uint8Array): number {
  if (method.length === 0 || method.length > METHOD_BYTES_MAX || !/^[\x21-\x7e]+$/.test(method)) {
    throw new TypeError(`not a method name: ${method}`)
  }
  return 6 + 1 + method.length + payload.length
}

/** Starts a call with a streamed answer. */
export function startCall(
  calls: OutgoingCalls,
  request: { method: string; payload: Uint8Array },
  options: CallOptions,
): Call {
  return new StreamingCall(calls, request, options)
}

const NOTHING = new Uint8Array(0)
const DONE: IteratorResult<CallFrame> = { value: undefined, done: true }

interface Waiter {
  resolve(result: IteratorResult<CallFrame>): void
  reject(error: LexoraError): void
}

/** A queue with one reader. What arrived before a failure is read before it. */
class StreamingCall implements Call, Receiver, AsyncIterableIterator<CallFrame> {
  readonly #calls: OutgoingCalls
  readonly #options: CallOptions
  readonly #id: number
  #queue: CallFrame[] = []
  #head = 0
  #waiter: Waiter | undefined
  #failure: LexoraError | undefined
  #finished = false
  #cancelling = false
  #started = false
  #bytes = 0
  #progressAtMs = performance.now()
  #timer: NodeJS.Timeout | undefined
  readonly #onAbort = (): void => {
    this.cancel()
  }

  constructor(
    calls: OutgoingCalls,
    request: { method: string; payload: Uint8Array },
    options: CallOptions,
  ) {
    this.#calls = calls
    this.#options = options
    if (options.signal?.aborted === true) {
      this.#id = 0
      this.fail(cancelledError())
      return
    }
    this.#id = calls.start(request.method, request.payload, this)
    if (this.#finished) return
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#arm(options.firstFrameTimeoutMs)
  }

  get frames(): AsyncIterable<CallFrame> {
    return this
  }

  cancel(): void {
    if (this.#finished || this.#cancelling) return
    this.#cancelling = true
    this.#calls.cancel(this.#id)
    this.#arm(this.#options.cancelGraceMs ?? CALL_CANCEL_GRACE_MS)
  }

  data(payload: Uint8Array): void {
    if (this.#counted(payload)) this.#deliver({ kind: 'data', payload })
  }

  end(payload: Uint8Array): void {
    if (!this.#counted(payload)) return
    this.#finish()
    this.#deliver({ kind: 'end', payload })
  }

  fail(error: LexoraError): void {
    if (this.#finished) return
    this.#finish()
    if (this.#waiter === undefined) {
      this.#failure = error
      return
    }
    const waiter = this.#waiter
    this.#waiter = undefined
    waiter.reject(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<CallFrame>> {
    const frame = this.#queue[this.#head]
    if (frame !== undefined) {
      this.#head += 1
      if (this.#head === this.#queue.length) {
        this.#queue = []
        this.#head = 0
      }
      return Promise.resolve({ value: frame, done: false })
    }
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      return Promise.reject(failure)
    }
    if (this.#finished) return Promise.resolve(DONE)
    if (this.#waiter !== undefined) return Promise.reject(new TypeError('a call has one reader'))
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  return(): Promise<IteratorResult<CallFrame>> {
    if (!this.#finished) {
      if (!this.#cancelling) this.#calls.cancel(this.#id)
      this.#finish()
    }
    this.#queue = []
    this.#head = 0
    this.#failure = undefined
    this.#waiter?.resolve(DONE)
    this.#waiter = undefined
    return Promise.resolve(DONE)
  }

  #deliver(frame: CallFrame): void {
    const waiter = this.#waiter
    if (waiter === undefined) {
      this.#queue.push(frame)
      return
    }
    this.#waiter = undefined
    waiter.resolve({ value: frame, done: false })
  }

  /** Counts a payload; false when it was one too many and the call has failed. */
  #counted(payload: Uint8Array): boolean {
    this.#bytes += payload.length
    this.#progressAtMs = this.#calls.arrivedAtMs
    if (this.#bytes > this.#options.maxResponseBytes) {
      const facts = { bytes: this.#bytes, bytesMax: this.#options.maxResponseBytes }
      this.#calls.cancel(this.#id)
      this.fail(
        new LexoraError('frame_too_large', 'the answer is larger than was asked for', { facts }),
      )
      return false
    }
    if (!this.#started) {
      this.#started = true
      if (!this.#cancelling) this.#arm(this.#idleMs())
    }
    return true
  }

  #idleMs(): number {
    return this.#options.idleTimeoutMs ?? CALL_IDLE_MS
  }

  #arm(delayMs: number): void {
    clearTimeout(this.#timer)
    // After a stall of this process timers fire before sockets are read: let what has arrived be seen first.
    const timer = setTimeout(() => {
      setImmediate(() => {
        if (this.#timer === timer) this.#expire()
      })
    }, delayMs)
    this.#timer = timer
  }

  #expire(): void {
    if (this.#finished) return
    if (this.#cancelling) {
      this.fail(cancelledError())
      return
    }
    const limitMs = this.#started ? this.#idleMs() : this.#options.firstFrameTimeoutMs
    const leftMs = limitMs - (performance.now() - this.#progressAtMs)
    if (leftMs > 1) {
      this.#arm(leftMs)
      return
    }
    this.#calls.cancel(this.#id)
    const facts = { waited: this.#started ? 'next_frame' : 'first_frame', timeoutMs: limitMs }
    this.fail(new LexoraError('timeout', 'the peer did not answer in time', { facts }))
  }

  #finish(): void {
    this.#finished = true
    clearTimeout(this.#timer)
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#calls.forget(this.#id)
  }
}

/** The error of a request that this end has given up. */
export function cancelledError(): LexoraError {
  return new LexoraError('cancelled', 'the request was cancelled')
}
