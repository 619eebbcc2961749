import { LexoraError } from '../errors.ts'
import { cancelledError, type OutgoingCalls, type Receiver } from './call.ts'
import { REQUEST_RESPONSE_BYTES_MAX } from './limits.ts'

/** How long a unary request may take and how much it may bring. */
export interface RequestOptions {
  /** Gives the request up. */
  readonly signal?: AbortSignal
  /** Time until the answer is here. */
  readonly timeoutMs: number
  /** Bytes of the answer. Default: one frame. */
  readonly maxResponseBytes?: number
}

/**
 * Sends a request whose answer is one `end` frame and resolves with its payload. Rejects with the other end's coded
 * error, `session_closed`, `timeout`, `cancelled`, `frame_too_large`, `provider_busy`, or `malformed` when it streams.
 */
export function startRequest(
  calls: OutgoingCalls,
  request: { method: string; payload: Uint8Array },
  options: RequestOptions,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const unary = new UnaryRequest(calls, options, { resolve, reject })
    unary.start(request)
  })
}

interface Outcome {
  resolve(payload: Uint8Array): void
  reject(error: LexoraError): void
}

class UnaryRequest implements Receiver {
  readonly #calls: OutgoingCalls
  readonly #options: RequestOptions
  readonly #outcome: Outcome
  #id = 0
  #finished = false
  #timer: NodeJS.Timeout | undefined
  readonly #onAbort = (): void => {
    this.#abandon(cancelledError())
  }

  constructor(calls: OutgoingCalls, options: RequestOptions, outcome: Outcome) {
    this.#calls = calls
    this.#options = options
    this.#outcome = outcome
  }

  start(request: { method: string; payload: Uint8Array }): void {
    const { signal, timeoutMs } = this.#options
    if (signal?.aborted === true) {
      this.fail(cancelledError())
      return
    }
    this.#id = this.#calls.start(request.method, request.payload, this)
    if (this.#finished) return
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    // As for streamed calls: after a stall, let an answer that has arrived be seen before the timeout.
    this.#timer = setTimeout(() => {
      setImmediate(() => {
        this.#abandon(
          new LexoraError('timeout', 'the peer did not answer in time', { facts: { timeoutMs } }),
        )
      })
    }, timeoutMs)
  }

  data(): void {
    this.#abandon(
      new LexoraError('malformed', 'the peer streamed an answer where one message was asked for'),
    )
  }

  end(payload: Uint8Array): void {
    const bytesMax = this.#options.maxResponseBytes ?? REQUEST_RESPONSE_BYTES_MAX
    if (payload.length > bytesMax) {
      const facts = { bytes: payload.length, bytesMax }
      this.fail(
        new LexoraError('frame_too_large', 'the answer is larger than was asked for', { facts }),
      )
      return
    }
    if (this.#finish()) this.#outcome.resolve(payload)
  }

  fail(error: LexoraError): void {
    if (this.#finish()) this.#outcome.reject(error)
  }

  #abandon(error: LexoraError): void {
    if (this.#finished) return
    this.#calls.cancel(this.#id)
    this.fail(error)
  }

  #finish(): boolean {
    if (this.#finished) return false
    this.#finished = true
    clearTimeout(this.#timer)
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#calls.forget(this.#id)
    return true
  }
}
