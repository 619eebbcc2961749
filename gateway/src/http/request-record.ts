import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Clock } from './clock.ts'

/** What the edge remembers of a request for its log line and its headers. Nothing of what the client sent. */
export interface RequestRecord {
  startedAtMs: number
  /** Code of the error that the request ended with. */
  code?: string
  promptTokens?: number
  /** Tokens that went out, whether or not the client read them. */
  completionTokens?: number
}

declare module 'fastify' {
  interface FastifyRequest {
    record: RequestRecord
  }
}

/** The status that stands in the log for a client that left before any answer; nobody receives it. */
const CLIENT_GONE = 499

/**
 * Starts a request's record, and writes its one log line when its response is over, however it ended. The line's fields
 * are all there are: a new one is added here or not at all.
 */
export function keepRecord(
  request: FastifyRequest,
  reply: FastifyReply,
  { clock, log }: { clock: Clock; log: Logger },
): void {
  const record: RequestRecord = { startedAtMs: clock.now() }
  request.record = record
  reply.raw.once('close', () => {
    const { headersSent, statusCode, writableEnded } = reply.raw
    log.debug(
      {
        requestId: request.id,
        // The template, never the URL: that is the client's text.
        route: request.routeOptions.url ?? 'none',
        method: request.method,
        status: headersSent ? statusCode : CLIENT_GONE,
        // Whether the answer was written to its end; what a client that left has read of it, nobody knows.
        complete: writableEnded,
        ms: clock.now() - record.startedAtMs,
        ...(record.code === undefined ? {} : { code: record.code }),
        ...(record.promptTokens === undefined ? {} : { tokensIn: record.promptTokens }),
        ...(record.completionTokens === undefined ? {} : { tokensOut: record.completionTokens }),
      },
      'request over',
    )
  })
}

/** Reports a fault of our own: the kind of error and where it came from. Its text may quote a prompt and stays out. */
export function logFault(log: Logger, requestId: string, error: unknown): void {
  const thrown = error instanceof Error ? error : new Error('not an Error')
  log.error({ requestId, fault: thrown.name, frames: framesOf(thrown) }, 'request failed')
}

/** The stack without the message that it begins with; none where it begins otherwise. */
function framesOf(error: Error): string[] {
  const head = error.message === '' ? error.name : `${error.name}: ${error.message}`
  if (error.stack?.startsWith(`${head}\n`) !== true) return []
  return error.stack
    .slice(head.length + 1)
    .split('\n')
    .map((line) => line.trim())
}
