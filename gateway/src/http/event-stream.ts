import type { ServerResponse } from 'node:http'
import type { Clock } from './clock.ts'

/** What an event stream writes to. */
export interface EventStreamComponents {
  /** The response; no byte of it has been sent. */
  response: ServerResponse
  clock: Clock
}

/** Limits of one event stream; the edge's constants say why they are what they are. */
export interface EventStreamOptions {
  headers: Readonly<Record<string, string>>
  /** Silence in ms after which a comment line is sent. */
  pingMs: number
  /** Time in ms that the client may take no byte while some wait. */
  stallMs: number
  /** Time in ms between the error event of a broken stream and its cut. */
  lingerMs: number
  /** Bytes that may wait for the client. */
  bufferBytesMax: number
}

/** One open stream of server-sent events. After `end` or `fail`, or when the client is gone, calls do nothing. */
export interface EventStream {
  /** Sends whole events. Those of one turn of the event loop leave in one write. */
  send(events: string): void
  /** Sends a comment line, which clients skip. */
  ping(): void
  /** Sends the last events and ends the response well. */
  end(events: string): void
  /** Sends the last events and breaks the connection, so that nobody takes the stream for whole. */
  fail(events: string): void
}

const PING = ': ping\n\n'

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  // nginx would collect the events and hand them on in lumps.
  'x-accel-buffering': 'no',
}

/**
 * Sends the head and opens the stream. A client that reads too slowly, or not at all, is cut: then, as whenever the
 * client goes, the response emits `close`.
 */
export function openEventStream(
  { response, clock }: EventStreamComponents,
  options: EventStreamOptions,
): EventStream {
  const { pingMs, stallMs, lingerMs } = options
  const outbox = createOutbox(response, clock, options.bufferBytesMax)
  let ending = false

  const send = (events: string): void => {
    if (!ending) outbox.add(events)
  }
  const watch = (): void => {
    if (outbox.stalledMs() >= stallMs) {
      response.destroy()
      return
    }
    if (outbox.quietMs() >= pingMs) send(PING)
    const quietMs = outbox.quietMs()
    stopTimer = clock.after(quietMs < pingMs ? pingMs - quietMs : pingMs, watch)
  }
  let stopTimer = clock.after(pingMs, watch)

  response.once('close', () => stopTimer())
  // A write that meets a closing socket reports here; `close` follows and says all that matters.
  response.on('error', () => {})
  response.writeHead(200, { ...STREAM_HEADERS, ...options.headers })

  return {
    send,
    ping: () => send(PING),
    end: (events) => {
      if (ending) return
      ending = true
      outbox.end(events)
    },
    fail: (events) => {
      if (ending) return
      ending = true
      outbox.add(events)
      stopTimer()
      stopTimer = clock.after(lingerMs, () => response.destroy())
    },
  }
}

/** Text on its way to the client. */
interface Outbox {
  add(text: string): void
  end(text: string): void
  /** Time since the last write. */
  quietMs(): number
  /** Time since the client last took something; 0 while nothing waits for it. */
  stalledMs(): number
}

/** Collects what is added in one turn of the event loop into one write, and cuts who lets too much pile up. */
function createOutbox(response: ServerResponse, clock: Clock, bytesMax: number): Outbox {
  let pending = ''
  let scheduled = false
  let waiting = 0
  let wroteAtMs = clock.now()
  let progressAtMs = wroteAtMs

  const onFlushed = (): void => {
    waiting -= 1
    progressAtMs = clock.now()
  }
  /** What is pending, as counted bytes, or undefined where the client can take no more. */
  const take = (): Buffer | undefined => {
    const bytes = Buffer.from(pending)
    pending = ''
    if (response.destroyed) return undefined
    if (response.writableLength + bytes.length > bytesMax) {
      response.destroy()
      return undefined
    }
    wroteAtMs = clock.now()
    if (waiting === 0) progressAtMs = wroteAtMs
    waiting += 1
    return bytes
  }
  const flush = (): void => {
    scheduled = false
    if (pending === '') return
    const bytes = take()
    if (bytes !== undefined) response.write(bytes, onFlushed)
  }

  return {
    add: (text) => {
      if (response.destroyed) return
      pending += text
      // A source that never yields to the event loop would otherwise fill the memory.
      if (pending.length > bytesMax) flush()
      else if (!scheduled) {
        scheduled = true
        setImmediate(flush)
      }
    },
    end: (text) => {
      pending += text
      const bytes = take()
      if (bytes !== undefined) response.end(bytes, onFlushed)
    },
    quietMs: () => clock.now() - wroteAtMs,
    stalledMs: () => (waiting === 0 ? 0 : clock.now() - progressAtMs),
  }
}
