import { chatRequestCodec, errorCodeOf, LexoraError } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import { parseChatRequest } from '../../../gateway/src/http/chat-request.ts'

const BASE = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const parse = (extra: Record<string, unknown> = {}) => parseChatRequest({ ...BASE, ...extra }, 512)

function refusal(body: unknown): LexoraError {
  try {
    parseChatRequest(body, 512)
  } catch (error) {
    if (error instanceof LexoraError) return error
    throw error
  }
  throw new Error('the request was taken')
}

describe('parseChatRequest()', () => {
  it("fills in OpenAI's defaults", () => {
    expect(parse()).toEqual({
      request: {
        model: 'm',
        messages: [{ role: 'user', content: 'hi' }],
        sampling: { temperature: 1, topP: 1, minP: 0, presencePenalty: 0, frequencyPenalty: 0 },
        maxTokens: 512,
        stop: [],
      },
      stream: false,
      includeUsage: false,
    })
  })

  it('hands on every honoured parameter', () => {
    const { request, stream, includeUsage } = parse({
      messages: [
        { role: 'developer', content: 'be kind' },
        {
          role: 'user',
          name: 'ann',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        { role: 'assistant', content: 'yes', refusal: null, tool_calls: [] },
      ],
      temperature: 0,
      top_p: 0.5,
      min_p: 0.1,
      presence_penalty: -2,
      frequency_penalty: 2,
      seed: 42,
      max_completion_tokens: 9,
      stop: ['x', 'y'],
      stream: true,
      stream_options: { include_usage: true, include_obfuscation: false },
    })
    expect(request).toEqual({
      model: 'm',
      messages: [
        { role: 'developer', content: 'be kind' },
        { role: 'user', name: 'ann', content: 'a\nb' },
        { role: 'assistant', content: 'yes' },
      ],
      sampling: {
        temperature: 0,
        topP: 0.5,
        minP: 0.1,
        presencePenalty: -2,
        frequencyPenalty: 2,
        seed: 42,
      },
      maxTokens: 9,
      stop: ['x', 'y'],
    })
    expect({ stream, includeUsage }).toEqual({ stream: true, includeUsage: true })
  })

  it('takes null as absent for every optional parameter', () => {
    const names = [
      'temperature',
      'top_p',
      'min_p',
      'presence_penalty',
      'frequency_penalty',
      'seed',
      'max_tokens',
      'max_completion_tokens',
      'stop',
      'stream',
      'stream_options',
      'n',
      'tools',
      'response_format',
      'logprobs',
      'logit_bias',
      'audio',
      'user',
      'metadata',
      'store',
    ]
    expect(parse(Object.fromEntries(names.map((name) => [name, null])))).toEqual(parse())
  })

  it.each([
    [0, 0],
    [4_294_967_295, 4_294_967_295],
    [4_294_967_296, 0],
    [-1, 4_294_967_295],
    [2 ** 63, 0],
  ])('folds the seed %d to 32 bits', (seed, folded) => {
    expect(parse({ seed }).request.sampling.seed).toBe(folded)
  })

  it('takes both names of the token limit only if they agree', () => {
    expect(parse({ max_tokens: 5, max_completion_tokens: 5 }).request.maxTokens).toBe(5)
    expect(parse({ max_tokens: 5 }).request.maxTokens).toBe(5)
    expect(refusal({ ...BASE, max_tokens: 5, max_completion_tokens: 6 }).facts['param']).toBe(
      'max_tokens',
    )
  })

  it('takes a single stop text', () => {
    expect(parse({ stop: 'x' }).request.stop).toEqual(['x'])
  })

  it('ignores unknown and harmless parameters', () => {
    const harmless = {
      user: 'u',
      metadata: { a: 'b' },
      store: false,
      service_tier: 'auto',
      safety_identifier: 's',
      prompt_cache_key: 'k',
      n: 1,
      tools: [],
      tool_choice: 'none',
      response_format: { type: 'text' },
      logprobs: false,
      logit_bias: {},
      modalities: ['text'],
      prediction: { type: 'content', content: 'x' },
      parallel_tool_calls: true,
      some_other_vendors_field: { deep: [1] },
      __proto__: 1,
      constructor: 1,
    }
    expect(parse(harmless)).toEqual(parse())
  })

  it.each([
    ['n', 2],
    ['n', 'two'],
    ['tools', [{ type: 'function' }]],
    ['functions', [{}]],
    ['tool_choice', 'required'],
    ['function_call', { name: 'f' }],
    ['response_format', { type: 'json_object' }],
    ['response_format', 'json'],
    ['logprobs', true],
    ['top_logprobs', 3],
    ['logit_bias', { 5: 1 }],
    ['audio', { voice: 'x' }],
    ['modalities', ['text', 'audio']],
    ['store', true],
    ['service_tier', 'flex'],
    ['reasoning_effort', 'high'],
    ['verbosity', 'low'],
    ['web_search_options', {}],
    ['moderation', {}],
  ])('refuses %s = %j by name', (name, value) => {
    const error = refusal({ ...BASE, [name]: value })
    expect(error.code).toBe('unsupported_parameter')
    expect(error.facts['param']).toBe(name)
    expect(error.message).toContain(`'${name}'`)
  })

  it.each([
    [[{ role: 'tool', content: 'x', tool_call_id: '1' }], 'messages[0].role'],
    [[{ role: 'function', content: 'x', name: 'f' }], 'messages[0].role'],
    [[{ role: 'assistant', content: 'x', tool_calls: [{}] }], 'messages[0].tool_calls'],
    [[{ role: 'assistant', content: 'x', function_call: {} }], 'messages[0].function_call'],
    [[{ role: 'assistant', content: 'x', audio: { id: '1' } }], 'messages[0].audio'],
    [
      [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'x' },
            { type: 'image_url', image_url: {} },
          ],
        },
      ],
      'messages[0].content[1].type',
    ],
  ])('refuses the message %j by name', (messages, param) => {
    const error = refusal({ ...BASE, messages })
    expect([error.code, error.facts['param']]).toEqual(['unsupported_parameter', param])
  })

  it('refuses obfuscation by name', () => {
    const error = refusal({ ...BASE, stream: true, stream_options: { include_obfuscation: true } })
    expect([error.code, error.facts['param']]).toEqual([
      'unsupported_parameter',
      'stream_options.include_obfuscation',
    ])
  })

  it.each<[Record<string, unknown>, string]>([
    [{ model: undefined }, 'model'],
    [{ model: null }, 'model'],
    [{ model: 3 }, 'model'],
    [{ model: '' }, 'model'],
    [{ model: 'x'.repeat(129) }, 'model'],
    [{ model: '😀'.repeat(65) }, 'model'],
    [{ messages: undefined }, 'messages'],
    [{ messages: null }, 'messages'],
    [{ messages: 'hi' }, 'messages'],
    [{ messages: [] }, 'messages'],
    [{ messages: [123] }, 'messages[0]'],
    [{ messages: [{}] }, 'messages[0].role'],
    [{ messages: Array(2049).fill({ role: 'user', content: '' }) }, 'messages'],
    [{ messages: [{ role: 123, content: 'x' }] }, 'messages[0].role'],
    [{ messages: [{ role: 'wizard', content: 'x' }] }, 'messages[0].role'],
    [{ messages: [{ role: 'user', content: 123 }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user' }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user', content: [] }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user', content: [null] }] }, 'messages[0].content[0].type'],
    [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text'],
    [{ messages: [{ role: 'user', content: 'x', name: 'n'.repeat(65) }] }, 'messages[0].name'],
    [{ temperature: -0.1 }, 'temperature'],
    [{ temperature: 2.1 }, 'temperature'],
    [{ temperature: '1' }, 'temperature'],
    [{ top_p: 0 }, 'top_p'],
    [{ top_p: 1.1 }, 'top_p'],
    [{ min_p: 2 }, 'min_p'],
    [{ presence_penalty: -2.1 }, 'presence_penalty'],
    [{ frequency_penalty: 3 }, 'frequency_penalty'],
    [{ seed: 1.5 }, 'seed'],
    [{ seed: 'x' }, 'seed'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ max_tokens: 1.5 }, 'max_tokens'],
    [{ max_tokens: 2 ** 31 }, 'max_tokens'],
    [{ max_completion_tokens: -1 }, 'max_completion_tokens'],
    [{ stop: '' }, 'stop'],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop'],
    [{ stop: [''] }, 'stop[0]'],
    [{ stop: 'é'.repeat(257) }, 'stop'],
    [{ stop: ['x', '😀'.repeat(129)] }, 'stop[1]'],
    [{ stop: 3 }, 'stop'],
    [{ stream: 'yes' }, 'stream'],
    [{ stream_options: {} }, 'stream_options'],
    [{ stream: true, stream_options: 'x' }, 'stream_options'],
    [{ stream: true, stream_options: { include_usage: 1 } }, 'stream_options.include_usage'],
  ])('refuses %j', (extra, param) => {
    const error = refusal({ ...BASE, ...extra })
    expect([error.code, error.facts['param']]).toEqual(['invalid_request', param])
    expect(error.message).toContain(`'${param}'`)
  })

  it.each<Record<string, unknown>>([
    { model: '😀'.repeat(64) },
    { messages: Array(2048).fill({ role: 'user', content: '' }) },
    { messages: [{ role: 'user', content: '', name: '😀'.repeat(32) }] },
    { stop: Array(4).fill('😀'.repeat(128)) },
    { temperature: 2, top_p: 1, min_p: 1, presence_penalty: -2, frequency_penalty: -2, seed: -1 },
    { temperature: 0, top_p: 1e-300, min_p: 0, seed: 2 ** 60 },
  ])('takes nothing at its limits that a provider would call malformed, case %#', (extra) => {
    const { request } = parse(extra)
    expect(() => chatRequestCodec.decode(chatRequestCodec.encode(request))).not.toThrow()
  })

  it.each([undefined, null, 3, 'text', [], [BASE]])('refuses the body %j', (body) => {
    expect(errorCodeOf(refusal(body))).toBe('invalid_request')
  })

  it('says what is wrong in words', () => {
    expect(refusal({ messages: BASE.messages }).message).toBe(
      "'model' is not valid: it is required.",
    )
    expect(refusal({ ...BASE, temperature: 3 }).message).toBe(
      "'temperature' is not valid: expected number to be <=2.",
    )
  })

  it('never repeats a value', () => {
    const canary = 'canary-7f3a'
    const bodies: Record<string, unknown>[] = [
      { messages: canary },
      { messages: [canary] },
      { messages: [{ role: canary, content: 'x' }] },
      { messages: [{ role: 'user', content: [{ type: canary }] }] },
      { messages: [{ role: 'user', content: { [canary]: canary } }] },
      { stop: canary.repeat(200) },
      { logit_bias: { [canary]: 1 } },
      { tools: [canary] },
      { response_format: { type: canary } },
      { temperature: canary },
      { stream_options: { [canary]: canary } },
      { tool_choice: canary },
      { model: { [canary]: canary } },
      { stream: canary },
      { seed: canary },
    ]
    for (const body of bodies) {
      const error = refusal({ ...BASE, ...body })
      expect(`${error.message}${JSON.stringify(error.facts)}`, JSON.stringify(body)).not.toContain(
        canary,
      )
    }
  })

  it('answers a body of many empty items without looking at each', () => {
    const started = performance.now()
    expect(refusal({ ...BASE, messages: Array(300_000).fill({}) }).facts['param']).toBe('messages')
    expect(refusal({ ...BASE, stop: Array(300_000).fill('') }).facts['param']).toBe('stop')
    // Looking at each takes seconds.
    expect(performance.now() - started).toBeLessThan(500)
  })
})
