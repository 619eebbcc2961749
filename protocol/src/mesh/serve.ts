import { LexoraError } from '../errors.ts'
import { cancelledError } from './call.ts'
import { encodeError } from './error-payload.ts'
import { FRAME_HEADER_BYTES, FRAME_KINDS, FRAME_LENGTH_BYTES, readNamed } from './frame.ts'
import type { SessionLimits } from './limits.ts'
import type { MeshLog } from './log.ts'
import type { Outbox } from './outbox.ts'
import type { Session } from './session.ts'

/** What a request handler may do besides returning its terminal payload. */
export interface RequestContext {
  /** The session that the request came by. */
  readonly session: Session
  /** Aborts with LexoraError `cancelled` when the other end cancels and `session_closed` when the session ends. */
  readonly signal: AbortSignal
  /**
   * Sends a data frame with this turn's write. Does nothing once the request is over. Throws LexoraError
   * `frame_too_large`.
   */
  send(payload: Uint8Array): void
  /** Resolves when little waits to be sent: await it between large payloads. Rejects with `session_closed`. */
  settled(): Promise<void>
}

/**
 * Answers one request: resolves with the payload of the terminal frame. A thrown LexoraError goes back as it is; all
 * else goes back as `internal` with a fixed text. After a cancel it may still finish, and its end is delivered.
 */
export type RequestHandler = (payload: Uint8Array, context: RequestContext) => Promise<Uint8Array>

/** Takes a message that has no answer. What it throws is logged. */
export type NoticeHandler = (payload: Uint8Array, session: Session) => void

/** What one end of a session answers. */
export interface SessionHandlers {
  readonly requests: Readonly<Record<string, RequestHandler>>
  readonly notices: Readonly<Record<string, NoticeHandler>>
}

/** What a request server uses. */
export interface RequestServerComponents {
  readonly session: Session
  readonly outbox: Outbox
  readonly log: MeshLog
}

/** The requests of the other end that run here. */
export class RequestServer {
  readonly #components: RequestServerComponents
  readonly #limits: SessionLimits
  readonly #running = new Map<number, AbortController>()
  #requests = new Map<string, RequestHandler>()
  #notices = new Map<string, NoticeHandler>()
  #lastId = 0

  constructor(components: RequestServerComponents, limits: SessionLimits) {
    this.#components = components
    this.#limits = limits
  }

  /** Sets what is answered, once the other end's hello is accepted. */
  accept(handlers: SessionHandlers): void {
    this.#requests = new Map(Object.entries(handlers.requests))
    this.#notices = new Map(Object.entries(handlers.notices))
  }

  /** Starts a request. Throws LexoraError `malformed` for a frame that no correct peer sends. */
  open(id: number, framePayload: Uint8Array): void {
    if (id <= this.#lastId) {
      throw new LexoraError('malformed', 'the peer used a request id twice', { facts: { id } })
    }
    this.#lastId = id
    const { method, payload } = readNamed(framePayload)
    const handler = this.#requests.get(method)
    if (handler === undefined) {
      this.#refuse(id, new LexoraError('unknown_method', 'this peer does not know the method'))
      return
    }
    const running = this.#running.size
    if (running >= this.#limits.inboundRequestsMax) {
      this.#refuse(
        id,
        new LexoraError('provider_busy', 'too many requests run on this session', {
          facts: { running },
        }),
      )
      return
    }
    const controller = new AbortController()
    this.#running.set(id, controller)
    // #run never rejects.
    void this.#run(id, { handler, payload, controller })
  }

  /** Aborts a request's signal; a request that is over is ignored. Throws LexoraError `malformed` for a future one. */
  cancel(id: number): void {
    if (id === 0 || id > this.#lastId) {
      throw new LexoraError('malformed', 'the peer cancelled a request that it never sent', {
        facts: { id },
      })
    }
    this.#running.get(id)?.abort(cancelledError())
  }

  /** Hands a notice to its handler; one that nobody handles is ignored. Throws LexoraError `malformed`. */
  notice(id: number, framePayload: Uint8Array): void {
    if (id !== 0) throw new LexoraError('malformed', 'a notice has a request id', { facts: { id } })
    const { method, payload } = readNamed(framePayload)
    const handler = this.#notices.get(method)
    if (handler === undefined) return
    const { session, log } = this.#components
    try {
      handler(payload, session)
    } catch (error) {
      log.warn({ err: error, method, peer: session.remotePeer }, 'notice handler failed')
    }
  }

  /** Aborts every running request. */
  close(error: LexoraError): void {
    const running = [...this.#running.values()]
    this.#running.clear()
    for (const controller of running) controller.abort(error)
  }

  async #run(id: number, request: RunningRequest): Promise<void> {
    const { handler, payload, controller } = request
    const { session, outbox } = this.#components
    const context: RequestContext = {
      session,
      signal: controller.signal,
      send: (data) => {
        this.#checkFits(data)
        if (this.#running.has(id)) outbox.append(FRAME_KINDS.data, id, data)
      },
      settled: () => outbox.settled(),
    }
    try {
      const terminal = await handler(payload, context)
      this.#checkFits(terminal)
      if (this.#running.delete(id)) outbox.append(FRAME_KINDS.end, id, terminal)
    } catch (error) {
      if (this.#running.delete(id)) this.#refuse(id, this.#codedError(error))
    }
  }

  #refuse(id: number, error: LexoraError): void {
    this.#components.outbox.append(FRAME_KINDS.error, id, encodeError(error))
  }

  #codedError(error: unknown): LexoraError {
    if (error instanceof LexoraError) return error
    this.#components.log.error(
      { err: error, peer: this.#components.session.remotePeer },
      'request handler failed',
    )
    return new LexoraError('internal', 'the request failed on the peer')
  }

  #checkFits(payload: Uint8Array): void {
    const bytes = payload.length + FRAME_HEADER_BYTES - FRAME_LENGTH_BYTES
    const bytesMax = this.#limits.frameBytesMax
    if (bytes <= bytesMax) return
    throw new LexoraError('frame_too_large', 'the payload does not fit a frame', {
      facts: { bytes, bytesMax },
    })
  }
}

interface RunningRequest {
  readonly handler: RequestHandler
  readonly payload: Uint8Array
  readonly controller: AbortController
}
