import { readFile } from 'node:fs/promises'
import { LexoraError } from '@lexora/protocol'
import OpenAI from 'openai'
import { describe, expect, it, vi } from 'vitest'
import { HONOURED_PARAMETERS } from '../../gateway/src/http/chat-request.ts'
import { IGNORED_PARAMETERS, UNBUILT_PARAMETERS } from '../../gateway/src/http/unbuilt.ts'
import {
  aborted,
  accepted,
  failsAfter,
  finished,
  MESSAGES,
  MODEL,
  openaiClient,
  says,
  startEdge,
  tokens,
} from '../gateway/http/support.ts'

const CHAT = { model: MODEL, messages: MESSAGES }

async function failureOf(action: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error = await action.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof OpenAI.APIError) return error
  throw new Error('not an APIError', { cause: error })
}

describe('the parameters of chat completions', () => {
  it('are each honoured, ignored or refused by name, as the openai package lists them', async () => {
    const types = await readFile(
      new URL(
        '../../node_modules/openai/resources/chat/completions/completions.d.ts',
        import.meta.url,
      ),
      'utf8',
    )
    const start = types.indexOf('export interface ChatCompletionCreateParamsBase {')
    const body = types.slice(start, types.indexOf('\n}\n', start))
    const documented = [...body.matchAll(/^ {4}([a-z_]+)\??:/gm)].map((match) => match[1])
    expect(documented).toContain('frequency_penalty')
    expect(documented.length).toBeGreaterThan(30)
    const known = [...HONOURED_PARAMETERS, ...IGNORED_PARAMETERS, ...UNBUILT_PARAMETERS]
    expect(documented.filter((name) => name === undefined || !known.includes(name))).toEqual([])
    expect(new Set(known).size).toBe(known.length)
  })
})

describe('the openai client', () => {
  it('reads an answer', async () => {
    const edge = await startEdge()
    const { data, request_id } = await openaiClient(edge)
      .chat.completions.create({ ...CHAT, temperature: 0, seed: -1, store: false, user: 'u' })
      .withResponse()
    expect(data).toEqual({
      id: 'chatcmpl-000001',
      object: 'chat.completion',
      created: expect.any(Number),
      model: MODEL,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello world', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 7,
        completion_tokens: 3,
        total_tokens: 10,
        prompt_tokens_details: { cached_tokens: 2 },
        cost_nano_usd: '1234',
      },
    })
    expect(request_id).toBe('req_000001')
    expect((data as { _request_id?: string })._request_id).toBe('req_000001')
    expect(edge.backend.calls[0]).toMatchObject({
      stream: false,
      request: { sampling: { temperature: 0, seed: 0xffffffff }, maxTokens: 512 },
    })
  })

  it('can send an answer back as part of the conversation', async () => {
    const edge = await startEdge()
    const client = openaiClient(edge)
    const first = await client.chat.completions.create(CHAT)
    const message = first.choices[0]?.message
    if (message === undefined) throw new Error('no message')
    const messages = [...MESSAGES, message, { role: 'user' as const, content: 'And now?' }]
    await client.chat.completions.create({ ...CHAT, messages })
    expect(edge.backend.calls[1]?.request.messages).toEqual([
      ...MESSAGES,
      { role: 'assistant', content: 'Hello world' },
      { role: 'user', content: 'And now?' },
    ])
  })

  it('reads a stream', async () => {
    const edge = await startEdge()
    edge.backend.script = says('He', 'llo', ' 😀')
    const stream = await openaiClient(edge).chat.completions.create({ ...CHAT, stream: true })
    let text = ''
    const reasons: unknown[] = []
    for await (const chunk of stream) {
      // As many clients do: this throws if a chunk has no choice.
      const [choice] = chunk.choices
      if (choice === undefined) throw new Error('a chunk without a choice')
      text += choice.delta.content ?? ''
      reasons.push(choice.finish_reason)
      expect(chunk.usage).toBeUndefined()
    }
    expect(text).toBe('Hello 😀')
    expect(reasons).toEqual([null, null, null, null, 'stop'])
  })

  it("puts a stream together with its own helper, which checks the chunks' order", async () => {
    const edge = await startEdge()
    const runner = openaiClient(edge).chat.completions.stream({
      ...CHAT,
      stream_options: { include_usage: true },
    })
    const final = await runner.finalChatCompletion()
    expect(final.choices[0]).toMatchObject({
      message: { role: 'assistant', content: 'Hello world' },
      finish_reason: 'stop',
    })
    expect(final.usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 })
  })

  it('throws the right class for a stream that breaks, with code and request id', async () => {
    const edge = await startEdge()
    const lost = new LexoraError('provider_lost', 'The provider went away.')
    edge.backend.script = failsAfter(lost, 'Hel')
    const stream = await openaiClient(edge).chat.completions.create({ ...CHAT, stream: true })
    let text = ''
    const error = await failureOf(
      (async () => {
        for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
      })(),
    )
    expect(text).toBe('Hel')
    expect(error).toMatchObject({
      code: 'provider_lost',
      type: 'server_error',
      requestID: 'req_000001',
    })
    expect(error.message).toContain('The provider went away.')
    const runner = openaiClient(edge).chat.completions.stream(CHAT)
    expect(await failureOf(runner.finalChatCompletion())).toMatchObject({ code: 'provider_lost' })
  })

  it('aborts, and the backend hears of it', async () => {
    const edge = await startEdge()
    edge.backend.script = async function* (_call, signal) {
      yield accepted()
      yield tokens('Hel')
      await aborted(signal)
      yield finished('cancelled')
    }
    const stream = await openaiClient(edge).chat.completions.create({ ...CHAT, stream: true })
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content === 'Hel') break
    }
    await vi.waitFor(() => expect(edge.backend.signals[0]?.aborted).toBe(true))

    const controller = new AbortController()
    const whole = openaiClient(edge).chat.completions.create(CHAT, { signal: controller.signal })
    await vi.waitFor(() => expect(edge.backend.signals).toHaveLength(2))
    controller.abort()
    await expect(whole).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
    await vi.waitFor(() => expect(edge.backend.signals[1]?.aborted).toBe(true))
  })

  it('lists models and gets one', async () => {
    const edge = await startEdge()
    const client = openaiClient(edge)
    const listed = []
    for await (const model of client.models.list()) listed.push(model.id)
    expect(listed).toEqual([MODEL])
    expect(await client.models.retrieve(MODEL)).toMatchObject({
      id: MODEL,
      object: 'model',
      owned_by: 'lexora',
    })
    expect(await failureOf(client.models.retrieve('no/such'))).toMatchObject({
      status: 404,
      code: 'model_not_found',
    })
    expect(await failureOf(openaiClient(edge, { apiKey: 'wrong' }).models.list())).toBeInstanceOf(
      OpenAI.AuthenticationError,
    )
  })
})

describe('the openai client in trouble', () => {
  it.each([
    ['unsupported_parameter', OpenAI.BadRequestError, 1],
    ['context_length_exceeded', OpenAI.BadRequestError, 1],
    ['api_key_revoked', OpenAI.AuthenticationError, 1],
    ['account_suspended', OpenAI.PermissionDeniedError, 1],
    ['model_not_found', OpenAI.NotFoundError, 1],
    ['insufficient_credit', OpenAI.APIError, 1],
    ['credit_reserved', OpenAI.APIError, 3],
    ['rate_limited', OpenAI.RateLimitError, 3],
    ['no_provider', OpenAI.InternalServerError, 3],
    ['provider_busy', OpenAI.InternalServerError, 3],
    ['ledger_unavailable', OpenAI.InternalServerError, 3],
    ['provider_lost', OpenAI.InternalServerError, 3],
    ['timeout', OpenAI.InternalServerError, 3],
    ['internal', OpenAI.InternalServerError, 3],
  ] as const)(
    'throws the right class for %s, and retries only what may pass',
    async (code, type, calls) => {
      const edge = await startEdge()
      edge.backend.script = failsAfter(
        new LexoraError(code, 'What went wrong, in words.', { facts: { retryAfterMs: 1 } }),
      )
      for (const stream of [false, true]) {
        edge.backend.calls.length = 0
        const error = await failureOf(
          openaiClient(edge).chat.completions.create({ ...CHAT, stream }),
        )
        expect(error).toBeInstanceOf(type)
        expect(error.code).toBe(code)
        expect(error.requestID).toMatch(/^req_/)
        expect(edge.backend.calls).toHaveLength(calls)
      }
    },
  )

  it('is told which key is missing or wrong, which field, and which size', async () => {
    const edge = await startEdge()
    const wrong = openaiClient(edge, { apiKey: 'wrong' })
    expect(await failureOf(wrong.chat.completions.create(CHAT))).toMatchObject({
      status: 401,
      code: 'invalid_api_key',
    })
    const client = openaiClient(edge)
    const format = { type: 'json_object' as const }
    expect(
      await failureOf(client.chat.completions.create({ ...CHAT, response_format: format })),
    ).toMatchObject({ status: 400, code: 'unsupported_parameter', param: 'response_format' })
    expect(
      await failureOf(client.chat.completions.create({ ...CHAT, temperature: 9 })),
    ).toMatchObject({
      status: 400,
      param: 'temperature',
    })
    const messages = [{ role: 'user' as const, content: 'x'.repeat(3 * 1024 * 1024) }]
    expect(await failureOf(client.chat.completions.create({ ...CHAT, messages }))).toMatchObject({
      status: 413,
      code: 'request_too_large',
    })
    expect(edge.backend.calls).toHaveLength(1)
  })
})
