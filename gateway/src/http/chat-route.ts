import { LexoraError } from '@lexora/protocol'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { type AnswerSink, deliver } from './answer.ts'
import type { ChatCall, GatewayBackend } from './backend.ts'
import {
  type CompletionEnd,
  type CompletionHead,
  chunkWriter,
  completionJson,
} from './chat-completion.ts'
import { type ChatParameters, parseChatRequest } from './chat-request.ts'
import type { Clock } from './clock.ts'
import { isOurFault, toApiError } from './errors.ts'
import { type EventStream, type EventStreamOptions, openEventStream } from './event-stream.ts'
import { requiredApiKeyHash } from './keys.ts'
import { logFault } from './request-record.ts'

/** What the chat route uses. */
export interface ChatRouteComponents {
  backend: GatewayBackend
  log: Logger
  clock: Clock
}

/** How the chat route behaves. */
export interface ChatRouteOptions extends Omit<EventStreamOptions, 'headers'> {
  /** Most output tokens of a request that names none. */
  outputTokensDefault: number
  /** How long in ms the head of a stream waits for the first token after `accepted`. */
  headHoldMs: number
}

/** One request on its way through the route. */
interface Exchange {
  request: FastifyRequest
  reply: FastifyReply
  head: CompletionHead
  parameters: ChatParameters
}

type ChatHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<string | undefined>

/** The handler of `POST /v1/chat/completions`: reads the body, runs the call, and writes the answer. */
export function chatHandler(
  components: ChatRouteComponents,
  options: ChatRouteOptions,
): ChatHandler {
  const { backend, clock, log } = components
  return (request, reply) => {
    const parameters = parseChatRequest(request.body, options.outputTokensDefault)
    const call: ChatCall = {
      requestId: request.id,
      apiKeyHash: requiredApiKeyHash(request.headers),
      request: parameters.request,
      stream: parameters.stream,
    }
    const head: CompletionHead = {
      id: `chatcmpl-${request.id.replace(/^req_/, '')}`,
      created: Math.floor(clock.now() / 1000),
      model: parameters.request.model,
    }
    const exchange: Exchange = { request, reply, head, parameters }
    const signal = goneSignal(reply)
    return new Promise((resolve, reject) => {
      const settle: Settle = { resolve, reject }
      const sink = parameters.stream
        ? streamSink(components, options, exchange, settle)
        : wholeSink(exchange, settle)
      deliver(() => backend.chat(call, signal), recorded(request, sink)).catch((error: unknown) =>
        logFault(log, request.id, error),
      )
    })
  }
}

/** Ends the handler's promise; only the first call counts. A stream resolves to nothing. */
interface Settle {
  resolve(body: string | undefined): void
  reject(error: unknown): void
}

/**
 * A signal that aborts as soon as the client's connection is gone before the answer was written to its end.
 * (`writableFinished` will not do: it turns true when a socket with unsent bytes is destroyed.)
 */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  const response = reply.raw
  const onClose = (): void => {
    if (response.writableEnded) return
    gone.abort(new LexoraError('cancelled', 'The client closed the connection.'))
  }
  if (response.closed || response.destroyed) onClose()
  else response.once('close', onClose)
  return gone.signal
}

/** Notes what the log line tells, then hands on. */
function recorded({ record }: FastifyRequest, sink: AnswerSink): AnswerSink {
  record.completionTokens = 0
  let delivered = 0
  return {
    accepted: (event) => {
      record.promptTokens = event.promptTokens
      delivered = 0
      sink.accepted(event)
    },
    tokens: (event) => {
      delivered += event.ids.length
      record.completionTokens = delivered
      sink.tokens(event)
    },
    finished: (event) => {
      record.promptTokens = event.usage.promptTokens
      record.completionTokens = event.usage.completionTokens
      sink.finished(event)
    },
    failed: (error) => {
      record.code = toApiError(error).code
      sink.failed(error)
    },
  }
}

/** Collects the answer and sends it whole. It is as long as its hold allows, so it needs no cap of its own. */
function wholeSink({ reply, head }: Exchange, settle: Settle): AnswerSink {
  let texts: string[] = []
  return {
    accepted: () => {
      texts = []
    },
    tokens: (event) => {
      texts.push(event.text)
    },
    finished: (event) => {
      reply.type('application/json')
      settle.resolve(completionJson(head, texts.join(''), event))
    },
    failed: settle.reject,
  }
}

/**
 * Streams the answer. Nothing is sent before the first text, the end, or the end of the hold, so that an early failure
 * is an HTTP error with its own status.
 */
function streamSink(
  { clock, log }: ChatRouteComponents,
  options: ChatRouteOptions,
  { request, reply, head, parameters }: Exchange,
  settle: Settle,
): AnswerSink {
  const chunks = chunkWriter(head, parameters.includeUsage)
  let stream: EventStream | undefined
  let begun = false
  let stopHold = (): void => {}

  const opened = (): EventStream => {
    if (stream !== undefined) return stream
    stopHold()
    reply.hijack()
    const headers = {
      'x-request-id': request.id,
      'openai-processing-ms': String(clock.now() - request.record.startedAtMs),
    }
    stream = openEventStream({ response: reply.raw, clock }, { ...options, headers })
    return stream
  }
  /** The chunk that says who speaks, once, before any other. */
  const opening = (): string => {
    if (begun) return ''
    begun = true
    return chunks.role
  }
  const gone = (): boolean => reply.raw.destroyed || reply.raw.closed

  return {
    accepted: () => {
      stopHold()
      if (stream !== undefined || gone()) return
      stopHold = clock.after(options.headHoldMs, () => {
        if (!gone()) opened().ping()
      })
    },
    tokens: (event) => {
      // Half a character gives no text yet.
      if (event.text === '' || gone()) return
      opened().send(opening() + chunks.text(event.text))
    },
    finished: (event: CompletionEnd) => {
      if (!gone()) opened().end(opening() + chunks.end(event))
      finish()
    },
    failed: (error) => {
      stopHold()
      if (stream === undefined && !gone()) {
        settle.reject(error)
        return
      }
      if (isOurFault(error)) logFault(log, request.id, error)
      stream?.fail(chunks.error(toApiError(error)))
      finish()
    },
  }

  function finish(): void {
    stopHold()
    // Nothing can be sent any more: fastify must not try.
    if (stream === undefined) reply.hijack()
    settle.resolve(undefined)
  }
}
