import { type NanoUsd, quote, type Usage } from '@lexora/protocol'
import OpenAI from 'openai'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type Developer,
  endAfterAll,
  type RealMesh,
  START_MS,
  startRealMesh,
  until,
} from '../support/real-mesh.ts'

// The unmodified openai package, both gateways of a mesh of real processes, and the model that comes with the node.

const DOLLAR = 1_000_000_000n
const PARIS = [{ role: 'user' as const, content: 'What is the capital of France?' }]
const STORY = [{ role: 'user' as const, content: 'Tell me a long story.' }]
/** Words that were said are said again, so that the answer is as long as it may be: seconds, while others take 0.1 s. */
const ENDLESS = { messages: STORY, temperature: 0, frequency_penalty: -2, max_tokens: 1_900 }

let mesh: RealMesh
let developer: Developer

beforeAll(async () => {
  mesh = await startRealMesh()
  console.log(`mesh with the bundled model: ready in ${(mesh.startedInMs / 1_000).toFixed(1)} s`)
  developer = await mesh.developer(10n * DOLLAR)
}, START_MS)

endAfterAll(() => mesh)

/** A client and the number of HTTP requests that it has sent. */
interface Counted {
  client: OpenAI
  calls: () => number
}

function clientOf(index: number, options: { apiKey?: string; maxRetries?: number } = {}): Counted {
  let calls = 0
  const client = new OpenAI({
    apiKey: developer.apiKey,
    baseURL: `${mesh.gateways[index]?.url}/v1`,
    fetch: (url, init) => {
      calls += 1
      return fetch(url, init)
    },
    ...options,
  })
  return { client, calls: () => calls }
}

async function failureOf(action: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error = await action.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof OpenAI.APIError) return error
  throw new Error('not an APIError', { cause: error })
}

async function costOf(usage: OpenAI.CompletionUsage | undefined): Promise<NanoUsd> {
  const counts: Usage = {
    promptTokens: usage?.prompt_tokens ?? 0,
    cachedTokens: usage?.prompt_tokens_details?.cached_tokens ?? 0,
    completionTokens: usage?.completion_tokens ?? 0,
  }
  return quote(await mesh.price(), counts)
}

interface KeyAnswer {
  object: string
  account: string
  currency: string
  balance_nano_usd: { promo: string; paid: string; held: string; available: string }
  spent_nano_usd: string
}

async function keyInfo(index: number, { apiKey }: Developer): Promise<KeyAnswer> {
  const response = await fetch(`${mesh.gateways[index]?.url}/v1/key`, {
    headers: { authorization: `Bearer ${apiKey}` },
  })
  expect(response.status).toBe(200)
  return (await response.json()) as KeyAnswer
}

/** Resolves when nothing of an account is held any more. */
async function settled({ accountId }: Developer): Promise<void> {
  await until('settled', async () => (await mesh.balance(accountId)).held === 0n)
}

describe.each([0, 1])('the openai client at gateway %i', (index) => {
  it('gets an answer from the bundled model', async () => {
    const { client, calls } = clientOf(index)
    const answer = await client.chat.completions.create({
      model: mesh.model,
      messages: PARIS,
      temperature: 0,
    })
    expect(answer.choices[0]?.message.content).toContain('Paris')
    expect(answer.choices[0]?.finish_reason).toBe('stop')
    expect(answer.model).toBe(mesh.model)
    const { prompt_tokens = 0, completion_tokens = 0, total_tokens } = answer.usage ?? {}
    expect(prompt_tokens).toBeGreaterThan(PARIS[0]?.content.split(' ').length ?? 0)
    expect(completion_tokens).toBeGreaterThan(3)
    expect(total_tokens).toBe(prompt_tokens + completion_tokens)
    expect(calls()).toBe(1)
  })

  it('reads a stream token by token, with the same text', async () => {
    const { client } = clientOf(index)
    const ask = { model: mesh.model, messages: PARIS, temperature: 0 }
    const whole = await client.chat.completions.create(ask)
    const stream = await client.chat.completions.create({ ...ask, stream: true })
    const texts: string[] = []
    const reasons: unknown[] = []
    for await (const chunk of stream) {
      const [choice] = chunk.choices
      if (choice === undefined) throw new Error('a chunk without a choice')
      texts.push(choice.delta.content ?? '')
      reasons.push(choice.finish_reason)
      expect(chunk.usage).toBeUndefined()
    }
    expect(texts.join('')).toBe(whole.choices[0]?.message.content)
    expect(texts.length).toBeGreaterThan(3)
    expect(reasons.slice(0, -1).every((reason) => reason === null)).toBe(true)
    expect(reasons.at(-1)).toBe('stop')
  })

  it('gets the usage of a stream in one last chunk, and pays for exactly that', async () => {
    const own = await mesh.developer(DOLLAR)
    const { client } = clientOf(index, { apiKey: own.apiKey })
    const stream = await client.chat.completions.create({
      model: mesh.model,
      messages: STORY,
      temperature: 0,
      max_tokens: 40,
      stream: true,
      stream_options: { include_usage: true },
    })
    const usages = []
    let last: OpenAI.ChatCompletionChunk | undefined
    for await (const chunk of stream) {
      last = chunk
      usages.push(chunk.usage)
    }
    expect(last?.choices).toEqual([])
    expect(usages.slice(0, -1).every((usage) => usage === null)).toBe(true)
    expect(last?.usage).toMatchObject({ completion_tokens: 40 })
    await settled(own)
    const spent = await costOf(last?.usage ?? undefined)
    expect(spent).toBeGreaterThan(0n)
    const left = (DOLLAR - spent).toString()
    expect(await keyInfo(index, own)).toEqual({
      object: 'key',
      label: 'test',
      account: own.accountId,
      currency: 'USD',
      balance_nano_usd: { promo: '0', paid: left, held: '0', available: left },
      spent_nano_usd: spent.toString(),
    })
  })

  it('puts a stream together with its helper', async () => {
    const { client } = clientOf(index)
    const runner = client.chat.completions.stream({
      model: mesh.model,
      messages: PARIS,
      temperature: 0,
      stream_options: { include_usage: true },
    })
    let text = ''
    runner.on('content', (delta) => {
      text += delta
    })
    const final = await runner.finalChatCompletion()
    expect(final.choices[0]?.message.content).toBe(text)
    expect(text).toContain('Paris')
    expect(final.usage?.total_tokens).toBeGreaterThan(0)
  })

  it('gives the same words for the same seed, and others for another', async () => {
    const { client } = clientOf(index)
    const wordsOf = async (seed: number): Promise<string> => {
      const messages = STORY
      const ask = { model: mesh.model, messages, temperature: 1, seed, max_tokens: 60 }
      const answer = await client.chat.completions.create(ask)
      return answer.choices[0]?.message.content ?? ''
    }
    const first = await wordsOf(11)
    expect(first.length).toBeGreaterThan(20)
    expect(await wordsOf(11)).toBe(first)
    expect(new Set([first, await wordsOf(12), await wordsOf(13)]).size).toBeGreaterThan(1)
  })

  it('stops the engine when it aborts, and pays for what was delivered', async () => {
    const own = await mesh.developer(DOLLAR)
    const { client } = clientOf(index, { apiKey: own.apiKey, maxRetries: 0 })
    // As many as the two providers have slots.
    const received = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const ask = { model: mesh.model, ...ENDLESS, stream: true as const }
        const stream = await client.chat.completions.create(ask)
        let chunks = 0
        for await (const chunk of stream) {
          if ((chunk.choices[0]?.delta.content ?? '') !== '') chunks += 1
          if (chunks >= 3) break
        }
        return chunks
      }),
    )
    expect(received).toEqual([3, 3, 3, 3])
    // Every slot is free again: these would be refused as busy.
    await until('the slots are free', async () => {
      const asks = Array.from({ length: 4 }, () =>
        clientOf(index, { maxRetries: 0 }).client.chat.completions.create({
          model: mesh.model,
          messages: PARIS,
          max_tokens: 4,
        }),
      )
      const answers = await Promise.allSettled(asks)
      return answers.every(({ status }) => status === 'fulfilled')
    })
    await settled(own)
    const holds = await mesh.holdsOf(own.keyId)
    expect(holds).toHaveLength(4)
    let spent = 0n
    for (const { state, settlement } of holds) {
      expect(state).toBe('captured')
      expect(settlement).toMatchObject({ finishReason: 'cancelled', signedByProvider: true })
      expect(settlement?.usage.completionTokens).toBeGreaterThanOrEqual(3)
      expect(settlement?.usage.completionTokens).toBeLessThan(ENDLESS.max_tokens)
      spent += settlement?.cost ?? 0n
    }
    expect(await mesh.balance(own.accountId)).toEqual({ held: 0n, available: DOLLAR - spent })
  })

  it('aborts an answer that is not streamed, too', async () => {
    const own = await mesh.developer(DOLLAR)
    const { client } = clientOf(index, { apiKey: own.apiKey })
    const controller = new AbortController()
    const ask = { model: mesh.model, ...ENDLESS }
    const answer = client.chat.completions.create(ask, { signal: controller.signal })
    await until('it runs', async () => (await mesh.balance(own.accountId)).held > 0n)
    controller.abort()
    await expect(answer).rejects.toBeInstanceOf(OpenAI.APIUserAbortError)
    await settled(own)
    const holds = await mesh.holdsOf(own.keyId)
    expect(holds).toHaveLength(1)
    expect(holds[0]?.settlement?.usage.completionTokens ?? 0).toBeLessThan(ENDLESS.max_tokens)
  })

  it('lists the models and gets one', async () => {
    const { client } = clientOf(index)
    const listed = []
    for await (const model of client.models.list()) listed.push(model)
    expect(listed).toHaveLength(1)
    expect(listed[0]).toMatchObject({ id: mesh.model, object: 'model', providers: 2 })
    expect(await client.models.retrieve(mesh.model)).toEqual(listed[0])
    expect(await failureOf(client.models.retrieve('no/such'))).toMatchObject({
      status: 404,
      code: 'model_not_found',
    })
  })
})

describe.each([0, 1])('the openai client in trouble at gateway %i', (index) => {
  const paris = { messages: PARIS, temperature: 0 }

  /** Asks with and without streaming; both must fail in the same way, after one HTTP request. */
  async function refusal(
    { client, calls }: Counted,
    ask: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> = {},
  ): Promise<InstanceType<typeof OpenAI.APIError>> {
    const params = { model: mesh.model, ...paris, ...ask }
    const whole = await failureOf(client.chat.completions.create(params))
    const streamed = await failureOf(client.chat.completions.create({ ...params, stream: true }))
    for (const error of [whole, streamed]) expect(error.requestID).toMatch(/^req_/)
    expect(streamed).toMatchObject({ status: whole.status, code: whole.code, param: whole.param })
    expect(streamed.message).toBe(whole.message)
    expect(calls()).toBe(2)
    return whole
  }

  it('is refused with a wrong key, and without one', async () => {
    const wrong = await refusal(clientOf(index, { apiKey: `lx_test_${'x'.repeat(43)}` }))
    expect(wrong).toBeInstanceOf(OpenAI.AuthenticationError)
    expect(wrong).toMatchObject({ status: 401, code: 'invalid_api_key' })
    const { client } = clientOf(index)
    const bare = client.withOptions({ defaultHeaders: { authorization: null } })
    const none = await failureOf(bare.chat.completions.create({ model: mesh.model, ...paris }))
    expect(none).toBeInstanceOf(OpenAI.AuthenticationError)
    expect(none.status).toBe(401)
  })

  it('is refused from the moment that its key is revoked', async () => {
    const own = await mesh.developer(DOLLAR)
    const counted = clientOf(index, { apiKey: own.apiKey })
    await counted.client.chat.completions.create({ model: mesh.model, ...paris })
    await mesh.admin(['key', 'revoke', own.keyId])
    const error = await refusal(clientOf(index, { apiKey: own.apiKey }))
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError)
    expect(error).toMatchObject({ status: 401, code: 'api_key_revoked' })
  })

  it('is refused while its account is suspended', async () => {
    const own = await mesh.developer(DOLLAR)
    await mesh.admin(['account', 'suspend', own.accountId, '--reason', 'a test'])
    const error = await refusal(clientOf(index, { apiKey: own.apiKey }))
    expect(error).toBeInstanceOf(OpenAI.PermissionDeniedError)
    expect(error).toMatchObject({ status: 403, code: 'account_suspended' })
    expect(error.message).not.toContain('a test')
    await mesh.admin(['account', 'resume', own.accountId])
    const { client } = clientOf(index, { apiKey: own.apiKey })
    await client.chat.completions.create({ model: mesh.model, ...paris })
  })

  it('is told what a request may cost, what is left, and what would fit', async () => {
    const own = await mesh.developer(50_000n)
    const counted = clientOf(index, { apiKey: own.apiKey })
    const error = await refusal(counted, { max_tokens: 400 })
    expect(error).toMatchObject({ status: 402, code: 'insufficient_credit' })
    expect(error.headers?.get('x-should-retry')).toBe('false')
    expect(error.message).toContain('$0.00005 are left')
    expect(error.message).toMatch(/may cost up to \$0\.0000\d+;/)
    const fits = Number(/max_tokens of (\d+) or less/.exec(error.message)?.[1])
    const { client } = clientOf(index, { apiKey: own.apiKey, maxRetries: 0 })
    const more = client.chat.completions.create({
      model: mesh.model,
      ...paris,
      max_tokens: fits + 1,
    })
    expect((await failureOf(more)).status).toBe(402)
    const ask = { model: mesh.model, ...paris, max_tokens: fits }
    const answer = await client.chat.completions.create(ask)
    expect(answer.choices[0]?.message.content).toContain('Paris')

    const broke = await mesh.developer(0n)
    const poor = await refusal(clientOf(index, { apiKey: broke.apiKey }))
    expect(poor).toMatchObject({ status: 402, code: 'insufficient_credit' })
    expect(poor.message).toContain('Add credit')
  })

  it('is told that a model does not exist', async () => {
    const error = await refusal(clientOf(index), { model: 'gpt-4o' })
    expect(error).toBeInstanceOf(OpenAI.NotFoundError)
    expect(error).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' })
    expect(error.message).toContain('gpt-4o')
  })

  it.each([
    ['temperature', { temperature: 9 }],
    ['messages', { messages: [] }],
    ['messages[0].role', { messages: [{ role: 'wizard', content: 'x' }] }],
    ['messages[0].content', { messages: [{ role: 'user' }] }],
    ['max_tokens', { max_tokens: 0 }],
    ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }],
  ] as const)('is told that %s is wrong', async (param, ask) => {
    const error = await refusal(
      clientOf(index),
      ask as unknown as Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>,
    )
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ status: 400, param })
  })

  it('is told that a prompt does not fit, before any byte of a stream', async () => {
    const messages = [{ role: 'user' as const, content: 'one two three '.repeat(2_000) }]
    const error = await refusal(clientOf(index), { messages })
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      param: 'messages',
    })
    expect(error.headers?.get('content-type')).toContain('application/json')
    expect(error.error).toMatchObject({ n_ctx: 2_048, n_prompt_tokens: expect.any(Number) })
    expect(error.message).toContain('2048')
  })
})

describe('after all that', () => {
  it('the books balance and nothing is held', async () => {
    await until('no open holds', async () => (await mesh.verify()).holds.open === 0)
    const books = await mesh.verify()
    expect(books.problems).toEqual([])
    expect(books.sumCaptured).toBe(books.sumReceipts)
    expect(books.customersHeld).toBe(0n)
  })
})
