import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Socket } from 'node:net'
import { Writable } from 'node:stream'
import { LexoraError } from '@lexora/protocol'
import type { FastifyInstance } from 'fastify'
import OpenAI from 'openai'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { createHttpApp, type HttpAppOptions } from '../../../gateway/src/http/app.ts'
import type {
  ChatCall,
  ChatEvent,
  GatewayBackend,
  ModelListing,
} from '../../../gateway/src/http/backend.ts'
import type { Clock } from '../../../gateway/src/http/clock.ts'

export const KEY = 'lx_live_testkey0123456789'
export const MODEL = 'lexora/tiny-chat'

export type Script = (call: ChatCall, signal: AbortSignal) => AsyncIterable<ChatEvent>

const USAGE = { promptTokens: 7, cachedTokens: 2, completionTokens: 3 }

export function accepted(): ChatEvent {
  return { kind: 'accepted', promptTokens: 7, provider: '12D3Koo-test' }
}

export function tokens(text: string, ids: number[] = [1]): ChatEvent {
  return { kind: 'tokens', ids, text }
}

export function finished(reason: 'stop' | 'length' | 'cancelled' | 'failed' = 'stop'): ChatEvent {
  return { kind: 'finished', reason, usage: USAGE, costNanoUsd: 1_234n }
}

/** A script that says each text as one token and stops. */
export function says(...texts: string[]): Script {
  return async function* () {
    yield accepted()
    for (const text of texts) yield tokens(text)
    yield finished()
  }
}

/** A script that fails after some texts. */
export function failsAfter(error: Error, ...texts: string[]): Script {
  return async function* () {
    if (texts.length > 0) yield accepted()
    for (const text of texts) yield tokens(text)
    throw error
  }
}

/** Ends when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

export const LISTING: ModelListing = {
  id: MODEL,
  createdAtMs: 1_700_000_000_999,
  contextTokens: 512,
  quantisation: 'Q8_0',
  providers: 2,
  price: {
    model: MODEL,
    inputNanoUsd: 150_000_000n,
    cachedInputNanoUsd: 1n,
    outputNanoUsd: 2_000_000_000_000_000n,
  },
}

/** A backend that does what a test says. Only {@link KEY} is a good key. */
export class FakeBackend implements GatewayBackend {
  script: Script = says('Hello', ' world')
  listings: ModelListing[] = [LISTING]
  isReady = true
  readonly calls: ChatCall[] = []
  readonly signals: AbortSignal[] = []

  chat(call: ChatCall, signal: AbortSignal): AsyncIterable<ChatEvent> {
    this.calls.push(call)
    this.signals.push(signal)
    return this.run(call, signal)
  }

  private async *run(call: ChatCall, signal: AbortSignal): AsyncIterable<ChatEvent> {
    this.check(call.apiKeyHash)
    yield* this.script(call, signal)
  }

  models(): ModelListing[] {
    return this.listings
  }

  async key(apiKeyHash: Uint8Array): ReturnType<GatewayBackend['key']> {
    this.check(apiKeyHash)
    return {
      label: 'test',
      accountRef: 'acc_1',
      balance: { promo: 1n, paid: 2n ** 60n, held: 3n, available: 4n },
      spent: 5n,
    }
  }

  ready(): ReturnType<GatewayBackend['ready']> {
    return {
      ready: this.isReady,
      checks: [{ name: 'ledger', ok: this.isReady, detail: 'private detail' }],
    }
  }

  private check(hash: Uint8Array): void {
    if (Buffer.from(hash).equals(createHash('sha256').update(KEY).digest())) return
    throw new LexoraError('invalid_api_key', 'This API key is not known.')
  }
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  private nowMs = 1_700_000_000_000
  private timers: { atMs: number; task: () => void }[] = []

  now(): number {
    return this.nowMs
  }

  after(ms: number, task: () => void): () => void {
    const timer = { atMs: this.nowMs + ms, task }
    this.timers.push(timer)
    return () => {
      this.timers = this.timers.filter((other) => other !== timer)
    }
  }

  get pending(): number {
    return this.timers.length
  }

  advance(ms: number): void {
    const endMs = this.nowMs + ms
    for (;;) {
      const due = this.timers.filter((timer) => timer.atMs <= endMs)
      const next = due.sort((left, right) => left.atMs - right.atMs)[0]
      if (next === undefined) break
      this.timers = this.timers.filter((other) => other !== next)
      this.nowMs = next.atMs
      next.task()
    }
    this.nowMs = endMs
  }
}

export interface Edge {
  app: FastifyInstance
  backend: FakeBackend
  baseUrl: string
  port: number
  /** Every line that was logged, at every level. */
  lines: string[]
}

/** Starts the HTTP edge on a free port; it closes when the test is over. */
export async function startEdge(options: HttpAppOptions = {}, clock?: Clock): Promise<Edge> {
  const backend = new FakeBackend()
  const lines: string[] = []
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString())
      done()
    },
  })
  let count = 0
  const app = createHttpApp(
    {
      backend,
      log: pino({ level: 'trace' }, sink),
      newRequestId: () => `req_${String((count += 1)).padStart(6, '0')}`,
      ...(clock === undefined ? {} : { clock }),
    },
    options,
  )
  await app.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(async () => {
    app.server.closeAllConnections()
    await app.close()
  })
  const { port } = app.server.address() as AddressInfo
  return { app, backend, port, baseUrl: `http://127.0.0.1:${port}`, lines }
}

export function openaiClient(edge: Edge, options: { apiKey?: string; maxRetries?: number } = {}) {
  return new OpenAI({ baseURL: `${edge.baseUrl}/v1`, apiKey: KEY, ...options })
}

export const MESSAGES = [{ role: 'user' as const, content: 'Say hello.' }]

/** Sends a chat request; `extra` overrides the plain body. */
export function postChat(
  edge: Edge,
  extra: Record<string, unknown> = {},
  init: RequestInit = {},
): Promise<Response> {
  return fetch(`${edge.baseUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, messages: MESSAGES, ...extra }),
    ...init,
  })
}

export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string | null } & Record<
    string,
    unknown
  >
}

/** Writes raw bytes to the edge and hands out the socket. */
export async function rawRequest(edge: Edge, text: string): Promise<Socket> {
  const socket = new Socket()
  socket.on('error', () => {})
  socket.connect(edge.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(text)
  onTestFinished(() => {
    socket.destroy()
  })
  return socket
}

export function rawChat(body: Record<string, unknown>): string {
  const json = JSON.stringify({ model: MODEL, messages: MESSAGES, ...body })
  return (
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n' +
    `authorization: Bearer ${KEY}\r\ncontent-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
  )
}
