import { once } from 'node:events'
import { LexoraError } from '@lexora/protocol'
import { describe, expect, it, vi } from 'vitest'
import type { ChatEvent } from '../../../gateway/src/http/backend.ts'
import {
  aborted,
  accepted,
  type ErrorBody,
  failsAfter,
  finished,
  ManualClock,
  MODEL,
  postChat,
  rawChat,
  rawRequest,
  says,
  startEdge,
  tokens,
} from './support.ts'

interface Chunk {
  id: string
  object: string
  created: number
  model: string
  choices: { index: number; delta: Record<string, unknown>; finish_reason: string | null }[]
  usage?: Record<string, unknown> | null
  error?: ErrorBody['error']
}

/** The data of each event, with comments left out. The last may be cut. */
function dataOf(text: string): string[] {
  const blocks = text.split('\n\n').filter((block) => block !== '' && !block.startsWith(':'))
  return blocks.map((block) => {
    expect(block).toMatch(/^data: [^\n]*$/)
    return block.slice(6)
  })
}

const chunksOf = (text: string): Chunk[] =>
  dataOf(text)
    .filter((data) => data !== '[DONE]')
    .map((data) => JSON.parse(data) as Chunk)

/** Reads a body that may break off, and says whether it did. */
async function readAll(response: Response): Promise<{ text: string; broken: boolean }> {
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const bytes of response.body ?? []) text += decoder.decode(bytes, { stream: true })
    return { text, broken: false }
  } catch {
    return { text, broken: true }
  }
}

/** Reads a body piece by piece. */
function readerOf(response: Response | undefined): { next: () => Promise<string> } {
  const reader = response?.body?.getReader()
  return { next: async () => Buffer.from((await reader?.read())?.value ?? 'end').toString() }
}

/** A gate that a script waits at until the test opens it. */
function gate(): { open: () => void; opened: Promise<void> } {
  return (({ promise, resolve }) => ({ open: () => resolve(), opened: promise }))(
    Promise.withResolvers<void>(),
  )
}

describe('a stream that ends well', () => {
  it('has the headers and chunks that clients rely on', async () => {
    const edge = await startEdge()
    edge.backend.script = says('He', '', 'llo "\n\u2028😀')
    const response = await postChat(edge, { stream: true })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(response.headers.get('cache-control')).toBe('no-cache')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    expect(response.headers.get('x-request-id')).toBe('req_000001')
    expect(response.headers.get('openai-processing-ms')).toMatch(/^\d+$/)
    const text = await response.text()
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    const chunks = chunksOf(text)
    const same = {
      id: 'chatcmpl-000001',
      object: 'chat.completion.chunk',
      created: chunks[0]?.created,
      model: MODEL,
    }
    const chunk = (delta: object, finish_reason: string | null = null): object => ({
      ...same,
      choices: [{ index: 0, delta, finish_reason }],
    })
    expect(chunks).toEqual([
      chunk({ role: 'assistant', content: null }),
      chunk({ content: 'He' }),
      chunk({ content: 'llo "\n\u2028😀' }),
      chunk({}, 'stop'),
    ])
    expect(same.created).toBeTypeOf('number')
  })

  it('has the usage chunk only where it was asked for', async () => {
    const edge = await startEdge()
    const body = { stream: true, stream_options: { include_usage: true } }
    const chunks = chunksOf(await (await postChat(edge, body)).text())
    const last = chunks.pop()
    expect(last).toMatchObject({
      choices: [],
      usage: {
        prompt_tokens: 7,
        completion_tokens: 3,
        total_tokens: 10,
        prompt_tokens_details: { cached_tokens: 2 },
        cost_nano_usd: '1234',
      },
    })
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop')
    for (const chunk of chunks) expect(chunk.usage).toBeNull()
  })

  it('says who speaks even when nothing is said, and why it stopped', async () => {
    const edge = await startEdge()
    edge.backend.script = async function* () {
      yield accepted()
      yield finished('length')
    }
    const chunks = chunksOf(await (await postChat(edge, { stream: true })).text())
    expect(chunks.map((chunk) => chunk.choices[0]?.delta)).toEqual([
      { role: 'assistant', content: null },
      {},
    ])
    expect(chunks[1]?.choices[0]?.finish_reason).toBe('length')
  })

  it('does not wait for what the backend does after the end', async () => {
    const edge = await startEdge()
    const settled = gate()
    let done = false
    edge.backend.script = async function* () {
      yield accepted()
      yield tokens('x')
      yield finished()
      await settled.opened
      done = true
    }
    for (const stream of [true, false]) {
      expect(await (await postChat(edge, { stream })).text()).toContain('"stop"')
    }
    expect(done).toBe(false)
    settled.open()
    await vi.waitFor(() => expect(done).toBe(true))
  })

  it('writes the tokens of one turn at once', async () => {
    const edge = await startEdge()
    edge.backend.script = says(...Array<string>(50).fill('word '))
    let writes = 0
    edge.app.server.prependListener('request', (_request, response) => {
      const write = response.write.bind(response) as (...parts: unknown[]) => boolean
      response.write = (...parts: unknown[]) => {
        writes += 1
        return write(...parts)
      }
    })
    const chunks = chunksOf(await (await postChat(edge, { stream: true })).text())
    expect(chunks).toHaveLength(52)
    expect(writes).toBeLessThanOrEqual(2)
  })
})

describe('a stream that fails', () => {
  it('is an HTTP error with its own status before the first text', async () => {
    const edge = await startEdge()
    for (const [error, status] of [
      [new LexoraError('no_provider', 'Nobody serves this model now.'), 503],
      [new LexoraError('context_length_exceeded', 'The prompt is too long.'), 400],
      [new LexoraError('insufficient_credit', 'There is no credit left.'), 402],
      [new Error('boom'), 500],
    ] as const) {
      edge.backend.script = failsAfter(error, '')
      const response = await postChat(edge, { stream: true })
      expect(response.status).toBe(status)
      expect(response.headers.get('content-type')).toMatch(/^application\/json/)
      expect(((await response.json()) as ErrorBody).error.code).toMatch(/./)
    }
  })

  it.each<[string, () => AsyncIterable<ChatEvent>, string]>([
    [
      'an error',
      () =>
        failsAfter(new LexoraError('provider_lost', 'The provider went away.'), 'Hel')(...NEVER),
      'provider_lost',
    ],
    ['a fault', () => failsAfter(new Error('secret'), 'Hel')(...NEVER), 'internal'],
    [
      'a failed engine',
      async function* () {
        yield tokens('Hel')
        yield finished('failed')
      },
      'provider_fault',
    ],
    [
      'a cancel that the client did not ask for',
      async function* () {
        yield tokens('Hel')
        yield finished('cancelled')
      },
      'cancelled',
    ],
    [
      'an end without a result',
      async function* () {
        yield tokens('Hel')
      },
      'internal',
    ],
  ])('says so in the stream after it, and breaks off: %s', async (_name, script, code) => {
    const edge = await startEdge({ lingerMs: 20 })
    edge.backend.script = script
    const { text, broken } = await readAll(await postChat(edge, { stream: true }))
    expect(broken).toBe(true)
    expect(text).not.toContain('[DONE]')
    expect(text).not.toContain('secret')
    const chunks = chunksOf(text)
    expect(chunks.map((chunk) => chunk.choices[0]?.finish_reason)).toEqual([null, null, 'error'])
    expect(chunks[2]).toMatchObject({ id: chunks[0]?.id, choices: [{ delta: {} }] })
    expect(Object.keys(chunks[2]?.error ?? {})).toEqual(['message', 'type', 'param', 'code'])
    expect(chunks[2]?.error?.code).toBe(code)
  })

  it('is never a success without a stream either', async () => {
    const edge = await startEdge()
    edge.backend.script = async function* () {
      yield tokens('Hel')
      yield finished('failed')
    }
    expect((await postChat(edge)).status).toBe(502)
    edge.backend.script = async function* () {
      yield tokens('Hel')
    }
    expect((await postChat(edge)).status).toBe(500)
  })
})

describe('a stream that is silent', () => {
  it('holds its head for 10 s after it was accepted, then sends comments every 15 s', async () => {
    const clock = new ManualClock()
    const edge = await startEdge({}, clock)
    const first = gate()
    const second = gate()
    edge.backend.script = async function* () {
      yield accepted()
      await first.opened
      yield tokens('Hello')
      await second.opened
      yield finished()
    }
    let response: Response | undefined
    const pending = postChat(edge, { stream: true }).then((answer) => {
      response = answer
    })
    await vi.waitFor(() => expect(clock.pending).toBe(1))
    clock.advance(9_999)
    expect(response).toBeUndefined()
    clock.advance(1)
    await pending
    const { next } = readerOf(response)
    expect(await next()).toBe(': ping\n\n')
    clock.advance(14_999)
    clock.advance(1)
    expect(await next()).toBe(': ping\n\n')
    clock.advance(8_000)
    first.open()
    expect(chunksOf(await next()).map((chunk) => chunk.choices[0]?.delta)).toEqual([
      { role: 'assistant', content: null },
      { content: 'Hello' },
    ])
    clock.advance(14_999)
    await new Promise(setImmediate)
    clock.advance(1)
    expect(await next()).toBe(': ping\n\n')
    second.open()
    expect(await next()).toMatch(/^data: .*"stop".*\n\ndata: \[DONE\]\n\n$/)
    expect(await next()).toBe('end')
    await vi.waitFor(() => expect(clock.pending).toBe(0))
  })

  it('can still fail with a status while the head is held, and in the stream after', async () => {
    const clock = new ManualClock()
    const edge = await startEdge({}, clock)
    let failing = gate()
    edge.backend.script = async function* () {
      yield accepted()
      await failing.opened
      throw new LexoraError('provider_lost', 'The provider went away.')
    }
    const early = postChat(edge, { stream: true })
    await vi.waitFor(() => expect(clock.pending).toBe(1))
    clock.advance(9_000)
    failing.open()
    expect((await early).status).toBe(502)
    expect(clock.pending).toBe(0)

    failing = gate()
    const late = postChat(edge, { stream: true })
    await vi.waitFor(() => expect(clock.pending).toBe(1))
    clock.advance(10_000)
    const response = await late
    expect(response.status).toBe(200)
    const reader = readerOf(response)
    expect(await reader.next()).toBe(': ping\n\n')
    failing.open()
    expect(await reader.next()).toMatch(/^data: .*"code":"provider_lost".*\n\n$/)
    clock.advance(1_000)
    await expect(reader.next()).rejects.toThrow()
  })
})

describe('a client that leaves', () => {
  it.each([true, false])('reaches the backend within 100 ms (stream: %s)', async (stream) => {
    const edge = await startEdge()
    let abortedAt = 0
    let after = 0
    edge.backend.script = async function* (_call, signal) {
      yield accepted()
      yield tokens('Hello')
      await aborted(signal)
      abortedAt = performance.now()
      yield tokens('too late')
      after += 1
      yield finished('cancelled')
    }
    const socket = await rawRequest(edge, rawChat({ stream }))
    if (stream) await once(socket, 'data')
    else await vi.waitFor(() => expect(edge.backend.calls).toHaveLength(1))
    const leftAt = performance.now()
    socket.destroy()
    await vi.waitFor(() => expect(after).toBe(1))
    expect(abortedAt - leftAt).toBeLessThan(100)
    await vi.waitFor(() => expect(edge.lines).toHaveLength(1))
    const line = JSON.parse(edge.lines[0] ?? '{}') as Record<string, unknown>
    expect(line).toMatchObject({ status: stream ? 200 : 499, complete: false })
    expect(await (await fetch(`${edge.baseUrl}/livez`)).json()).toEqual({ status: 'ok' })
  })

  it('is noticed before anything was sent', async () => {
    const clock = new ManualClock()
    const edge = await startEdge({}, clock)
    edge.backend.script = async function* (_call, signal) {
      yield accepted()
      await aborted(signal)
      throw new LexoraError('cancelled', 'The client went away.')
    }
    const socket = await rawRequest(edge, rawChat({ stream: true }))
    await vi.waitFor(() => expect(clock.pending).toBe(1))
    socket.destroy()
    await vi.waitFor(() => expect(edge.lines).toHaveLength(1))
    await vi.waitFor(() => expect(clock.pending).toBe(0))
    expect(JSON.parse(edge.lines[0] ?? '{}')).toMatchObject({ status: 499 })
  })

  it('does not abort what was answered', async () => {
    const edge = await startEdge()
    for (const stream of [true, false]) await (await postChat(edge, { stream })).text()
    await vi.waitFor(() => expect(edge.lines).toHaveLength(2))
    expect(edge.backend.signals.map((signal) => signal.aborted)).toEqual([false, false])
  })
})

describe('a client that does not read', () => {
  it('is cut when about 1 MiB waits for it', async () => {
    const edge = await startEdge()
    let sent = 0
    edge.backend.script = async function* (_call, signal) {
      yield accepted()
      // 64 MiB at most: the system's own buffers take a few.
      while (!signal.aborted && sent < 1024) {
        sent += 1
        yield tokens('x'.repeat(64 * 1024))
        await new Promise(setImmediate)
      }
      yield finished('cancelled')
    }
    const socket = await rawRequest(edge, rawChat({ stream: true }))
    socket.pause()
    await vi.waitFor(() => expect(edge.lines).toHaveLength(1), 10_000)
    expect(edge.backend.signals[0]?.aborted).toBe(true)
    expect(sent).toBeLessThan(512)
    expect(JSON.parse(edge.lines[0] ?? '{}')).toMatchObject({ complete: false })
  })

  it('is cut when it takes nothing for 30 s, even at the end of an answer', async () => {
    const clock = new ManualClock()
    const edge = await startEdge({ bufferBytesMax: 64 * 1024 * 1024 }, clock)
    let done = false
    edge.backend.script = async function* () {
      yield accepted()
      yield tokens('x'.repeat(16 * 1024 * 1024))
      yield finished()
      done = true
    }
    const socket = await rawRequest(edge, rawChat({ stream: true }))
    socket.pause()
    await vi.waitFor(() => expect(done).toBe(true))
    clock.advance(29_999)
    await new Promise(setImmediate)
    expect(edge.lines).toHaveLength(0)
    clock.advance(15_001)
    await vi.waitFor(() => expect(edge.lines).toHaveLength(1))
  })
})

const NEVER = [undefined as never, new AbortController().signal] as const
