import {
  assert,
  type ErrorCode,
  type FinishReason,
  inferEventCodec,
  LexoraError,
  TOKEN_IDS_PER_FRAME_MAX,
  type Usage,
} from '@lexora/protocol'
import type { RequestContext } from '@lexora/protocol/mesh'
import { ENGINE_STOP_GRACE_MS } from '../constants.ts'
import type {
  AcceptedEvent,
  EngineEvent,
  EngineStream,
  EngineTimings,
  FinishedEvent,
  TokensEvent,
} from '../engines/engine.ts'
import type { Admission } from './admission.ts'
import type { ServeLog } from './serve.ts'

/** What an answer writes to. */
export interface AnswerComponents {
  context: Pick<RequestContext, 'signal' | 'send'>
  log: ServeLog
}

/** Bounds of an answer. */
export interface AnswerOptions {
  /** How long an aborted engine has to say that it ended. Default {@link ENGINE_STOP_GRACE_MS}. */
  engineStopGraceMs?: number
}

/** What was sent, why it ended, how long it took. */
export interface Delivery {
  reason: FinishReason
  /** `completionTokens` counts the ids that were sent, and no others. */
  usage: Usage
  timings: EngineTimings
}

/** Refusals of an engine that are the request's doing or the moment's; all else is the engine's own fault. */
const ENGINE_REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'model_not_found',
  'provider_busy',
  'provider_draining',
  'context_length_exceeded',
  'invalid_request',
  'unsupported_parameter',
])

/**
 * Runs one admitted request through its engine and sends what comes out:
 *
 * 1. The engine accepts; a prompt beyond the voucher stops it again. Then the accept frame goes out.
 * 2. Tokens go out with sequence numbers, and are counted as they do. After a cancel nothing more is sent.
 * 3. The engine finishes, fails, or does not end in time after a cancel and is left behind.
 *
 * Throws before the accept frame and when nothing was sent that could be paid for: `voucher_invalid`,
 * `provider_fault`, `cancelled` or the engine's refusal. What an engine says in its errors never leaves this process.
 */
export async function deliver(
  components: AnswerComponents,
  admission: Admission,
  options: AnswerOptions = {},
): Promise<Delivery> {
  const run = new EngineRun(
    components,
    admission,
    options.engineStopGraceMs ?? ENGINE_STOP_GRACE_MS,
  )
  try {
    const accepted = await run.accept()
    await run.stream()
    return run.delivery(accepted)
  } finally {
    run.leave()
  }
}

class EngineRun {
  readonly #components: AnswerComponents
  readonly #admission: Admission
  readonly #graceMs: number
  readonly #stop = new AbortController()
  readonly #events: EngineStream
  readonly #startedAtMs = performance.now()
  #acceptedAtMs = 0
  #firstTokenAtMs: number | undefined
  #sequence = 0
  #tokensSent = 0
  #withheld = false
  #failed = false
  #finished: FinishedEvent | undefined
  #graceTimer: NodeJS.Timeout | undefined
  #giveUp: () => void = () => {}
  #gaveUp = false
  readonly #onAbort = (): void => {
    this.#abort(this.#components.context.signal.reason)
  }

  constructor(components: AnswerComponents, admission: Admission, graceMs: number) {
    this.#components = components
    this.#admission = admission
    this.#graceMs = graceMs
    const { signal } = components.context
    signal.addEventListener('abort', this.#onAbort, { once: true })
    if (signal.aborted) this.#onAbort()
    this.#events = admission.served.engine.chat(admission.request.chat, {
      signal: this.#stop.signal,
    })
  }

  /** Waits for the engine's accept and passes it on. */
  async accept(): Promise<AcceptedEvent> {
    const event = await this.#first()
    const { promptTokensMax } = this.#admission.voucher
    if (event.promptTokens > promptTokensMax) {
      const facts = { promptTokens: event.promptTokens, promptTokensMax }
      throw new LexoraError(
        'voucher_invalid',
        'the prompt has more tokens than the voucher covers',
        { facts },
      )
    }
    const { promptTokens, cachedTokens } = event
    this.#acceptedAtMs = performance.now()
    this.#components.context.send(
      inferEventCodec.encode({ kind: 'accept', promptTokens, cachedTokens }),
    )
    return event
  }

  /** Passes tokens on until the engine ends. Never throws: a fault is part of the delivery. */
  async stream(): Promise<void> {
    try {
      while (this.#finished === undefined) {
        const event = await this.#next()
        if (event === undefined) return
        this.#take(event)
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  /** What is owed for what was sent. Throws where nothing was sent and the answer did not end by itself. */
  delivery(accepted: AcceptedEvent): Delivery {
    const reason = this.#reason()
    if (this.#tokensSent === 0 && reason === 'cancelled') throw cancelledError()
    if (this.#tokensSent === 0 && reason === 'failed') {
      throw new LexoraError('provider_fault', 'the engine failed before its first token')
    }
    const { promptTokens, cachedTokens } = this.#finished?.usage ?? accepted
    return {
      reason,
      usage: { promptTokens, cachedTokens, completionTokens: this.#tokensSent },
      timings: this.#finished?.timings ?? this.#measuredTimings(),
    }
  }

  /** Ends whatever still runs. The engine's stream is not waited for: it may hang. */
  leave(): void {
    clearTimeout(this.#graceTimer)
    this.#components.context.signal.removeEventListener('abort', this.#onAbort)
    if (this.#finished !== undefined) return
    this.#stop.abort(cancelledError())
    this.#events.return?.().catch(() => {}) // an engine that fails while it is left behind changes nothing
  }

  async #first(): Promise<AcceptedEvent> {
    let event: EngineEvent | undefined
    try {
      event = await this.#next()
    } catch (cause) {
      if (this.#isAborted()) throw cancelledError()
      throw this.#refusal(cause)
    }
    if (this.#isAborted()) throw cancelledError()
    if (event?.kind === 'accepted') return event
    this.#logFault('engine did not accept first')
    throw new LexoraError('provider_fault', 'the engine failed')
  }

  #refusal(cause: unknown): LexoraError {
    if (cause instanceof LexoraError && ENGINE_REFUSALS.has(cause.code)) return cause
    this.#logFault('engine failed before it accepted', cause)
    return new LexoraError('provider_fault', 'the engine failed before it accepted the request')
  }

  /** The engine's next event; undefined when it ended without one, or was given up after an abort. */
  async #next(): Promise<EngineEvent | undefined> {
    if (this.#gaveUp) return undefined
    // Not Promise.race: the same promise raced for every token would keep a reaction for each.
    const result = await new Promise<IteratorResult<EngineEvent> | undefined>((resolve, reject) => {
      this.#giveUp = () => {
        resolve(undefined)
      }
      this.#events.next().then(resolve, reject)
    })
    return result === undefined || result.done === true ? undefined : result.value
  }

  #take(event: EngineEvent): void {
    if (event.kind === 'finished') this.#finished = event
    else if (event.kind === 'accepted') throw new Error('the engine accepted twice')
    else if (this.#isAborted()) this.#withheld = true
    else this.#sendTokens(event)
  }

  #sendTokens({ ids, text }: TokensEvent): void {
    const sent = this.#tokensSent + ids.length
    assert(ids.length <= TOKEN_IDS_PER_FRAME_MAX, 'an engine event fits a frame')
    assert(sent <= this.#admission.request.chat.maxTokens, 'an engine keeps to maxTokens')
    this.#components.context.send(
      inferEventCodec.encode({ kind: 'tokens', sequence: this.#sequence, ids, text }),
    )
    this.#firstTokenAtMs ??= performance.now()
    this.#sequence += 1
    this.#tokensSent = sent
  }

  #reason(): FinishReason {
    if (this.#isAborted() && (this.#withheld || this.#finished === undefined)) return 'cancelled'
    if (this.#failed || this.#finished === undefined) return 'failed'
    const { reason, usage } = this.#finished
    if (reason === 'cancelled') return this.#isAborted() ? 'cancelled' : 'failed'
    if (usage.completionTokens === this.#tokensSent) return reason
    this.#logFault('engine counted other tokens than it handed out')
    return 'failed'
  }

  #isAborted(): boolean {
    return this.#components.context.signal.aborted
  }

  #abort(reason: unknown): void {
    this.#stop.abort(reason)
    this.#graceTimer = setTimeout(() => {
      this.#gaveUp = true
      this.#logFault('engine did not end after an abort')
      this.#giveUp()
    }, this.#graceMs)
  }

  #fail(error: unknown): void {
    this.#failed = true
    this.#logFault('engine failed while it answered', error)
  }

  #measuredTimings(): EngineTimings {
    const nowMs = performance.now()
    const firstTokenAtMs = this.#firstTokenAtMs ?? nowMs
    return {
      queueMs: this.#acceptedAtMs - this.#startedAtMs,
      prefillMs: firstTokenAtMs - this.#acceptedAtMs,
      decodeMs: nowMs - firstTokenAtMs,
    }
  }

  /** An engine's error may quote the prompt, so only its class is logged. */
  #logFault(message: string, error?: unknown): void {
    const fields = {
      model: this.#admission.request.chat.model,
      engine: this.#admission.served.engine.name,
    }
    const errorName = error instanceof Error ? error.name : undefined
    this.#components.log.error(errorName === undefined ? fields : { ...fields, errorName }, message)
  }
}

function cancelledError(): LexoraError {
  return new LexoraError('cancelled', 'the request was cancelled')
}
