import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { LexoraError } from '@lexora/protocol'
import { describe, expect, it, vi } from 'vitest'
import {
  aborted,
  accepted,
  type Edge,
  type ErrorBody,
  failsAfter,
  finished,
  KEY,
  LISTING,
  MESSAGES,
  MODEL,
  postChat,
  rawChat,
  rawRequest,
  startEdge,
  tokens,
} from './support.ts'

const AUTH = { authorization: `Bearer ${KEY}` }
const JSON_TYPE = { 'content-type': 'application/json' }

async function expectError(
  response: Response,
  status: number,
  code: string,
): Promise<ErrorBody['error']> {
  const body = (await response.json()) as ErrorBody
  expect(body).toMatchObject({
    error: { message: expect.stringMatching(/.{10}/), type: expect.any(String), code },
  })
  expect('param' in body.error).toBe(true)
  expect(response.status).toBe(status)
  expect(response.headers.get('content-type')).toMatch(/^application\/json/)
  expect(response.headers.get('x-request-id')).toMatch(/^req_/)
  return body.error
}

const get = (edge: Edge, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(edge.baseUrl + path, init)

describe('what is refused before any route', () => {
  it('answers an unknown URL with 404, whatever it carries', async () => {
    const edge = await startEdge()
    await expectError(await get(edge, '/nope'), 404, 'not_found')
    await expectError(
      await get(edge, '/v1/nope', { method: 'POST', body: '<xml/>' }),
      404,
      'not_found',
    )
    await expectError(
      await get(edge, '/v1/chat/completions/x', { method: 'PUT' }),
      404,
      'not_found',
    )
  })

  it('answers a wrong method with 405 and names the right one', async () => {
    const edge = await startEdge()
    for (const [path, method, allow] of [
      ['/v1/chat/completions', 'GET', 'POST'],
      ['/chat/completions', 'DELETE', 'POST'],
      ['/v1/models', 'POST', 'GET, HEAD'],
      ['/v1/models/a/b', 'DELETE', 'GET, HEAD'],
      ['/v1/key', 'PUT', 'GET, HEAD'],
    ] as const) {
      const response = await get(edge, path, { method })
      expect(response.headers.get('allow'), path).toBe(allow)
      await expectError(response, 405, 'method_not_allowed')
    }
  })

  it('answers URLs that are not well-formed with 400', async () => {
    const edge = await startEdge()
    await expectError(await get(edge, '/v1/models/%E0%A4%A'), 400, 'invalid_request')
  })

  it.each([
    ['GET / HTTP/9.9\r\n\r\n', 400],
    ['nonsense\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
  ])('answers what is not HTTP in the same shape', async (bytes, status) => {
    const edge = await startEdge()
    const socket = await rawRequest(edge, bytes)
    const answer = await text(socket)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toMatch(/\r\nx-request-id: req_/)
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as ErrorBody
    expect(Object.keys(body.error)).toEqual(['message', 'type', 'param', 'code'])
  })

  it('ends a request that never arrives', async () => {
    const edge = await startEdge({ requestReceiveMs: 100 })
    const socket = await rawRequest(edge, rawChat({}).slice(0, -1))
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1.1 408 /)
    expect(answer).toMatch(/"code":"timeout"/)
    expect(edge.backend.calls).toHaveLength(0)
  })

  it('refuses new requests while it shuts down, in the same shape', async () => {
    const edge = await startEdge()
    edge.backend.script = async function* (_call, signal) {
      yield accepted()
      await aborted(signal)
    }
    const idle = connect(edge.port, '127.0.0.1')
    await once(idle, 'connect')
    const running = postChat(edge).catch(() => 'cut')
    await vi.waitFor(() => expect(edge.backend.calls).toHaveLength(1))
    const closed = edge.app.close()
    idle.write('GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n')
    const answer = await text(idle)
    expect(answer).toMatch(/^HTTP\/1.1 503 /)
    expect(answer).toMatch(/"code":"shutting_down"/)
    edge.app.server.closeAllConnections()
    expect(await running).toBe('cut')
    await closed
  })
})

describe('a whole answer', () => {
  it('has nothing of an attempt that was given up', async () => {
    const edge = await startEdge()
    edge.backend.script = async function* () {
      yield accepted()
      yield tokens('Hel')
      yield accepted()
      yield tokens('Hello world')
      yield finished('stop')
    }
    const answer = (await (await postChat(edge)).json()) as {
      choices: { message: { content: string } }[]
    }
    expect(answer.choices[0]?.message.content).toBe('Hello world')
  })
})

describe('bodies', () => {
  it.each([
    ['not JSON', '{"model": ', 400],
    ['empty', '', 400],
    ['not an object', '[]', 400],
    ['null', 'null', 400],
    ['not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 400],
  ])('refuses one that is %s', async (_name, body, status) => {
    const edge = await startEdge()
    await expectError(await postChat(edge, {}, { body }), status, 'invalid_request')
    expect(edge.backend.calls).toHaveLength(0)
  })

  it('refuses a missing body, other types and compression', async () => {
    const edge = await startEdge()
    const url = '/v1/chat/completions'
    await expectError(
      await get(edge, url, { method: 'POST', headers: AUTH }),
      400,
      'invalid_request',
    )
    const form = { ...AUTH, 'content-type': 'application/x-www-form-urlencoded' }
    const gzip = { ...AUTH, ...JSON_TYPE, 'content-encoding': 'gzip' }
    for (const headers of [form, gzip, { ...AUTH, 'content-type': 'junk' }]) {
      const response = await get(edge, url, { method: 'POST', headers, body: 'a=b' })
      await expectError(response, 415, 'unsupported_media_type')
    }
  })

  it('takes a charset and plain encoding', async () => {
    const edge = await startEdge()
    const headers = {
      ...AUTH,
      'content-type': 'application/json; charset=utf-8',
      'content-encoding': 'identity',
    }
    expect((await postChat(edge, {}, { headers })).status).toBe(200)
  })

  it('refuses a body above 1 MiB, announced or not', async () => {
    const edge = await startEdge()
    const body = JSON.stringify({ model: MODEL, messages: MESSAGES, user: 'x'.repeat(1024 * 1024) })
    await expectError(await postChat(edge, {}, { body }), 413, 'request_too_large')
    const chunks = new Blob([body]).stream()
    const chunked = { body: chunks, duplex: 'half' } as RequestInit
    await expectError(await postChat(edge, {}, chunked), 413, 'request_too_large')
  })

  it('takes a body just below the limit', async () => {
    const edge = await startEdge()
    const plain = JSON.stringify({ model: MODEL, messages: MESSAGES, user: '' })
    const body = plain.replace('"user":""', `"user":"${'x'.repeat(1024 * 1024 - plain.length)}"`)
    expect(body.length).toBe(1024 * 1024)
    expect((await postChat(edge, {}, { body })).status).toBe(200)
  })

  it('names the field at fault', async () => {
    const edge = await startEdge()
    const response = await postChat(edge, { messages: [{ role: 'wizard', content: 'x' }] })
    expect((await expectError(response, 400, 'invalid_request')).param).toBe('messages[0].role')
    const tools = await postChat(edge, { tools: [{ type: 'function' }] })
    expect((await expectError(tools, 400, 'unsupported_parameter')).param).toBe('tools')
  })
})

describe('keys', () => {
  it('asks for one before it reads the body', async () => {
    const edge = await startEdge()
    for (const headers of [
      {},
      { authorization: 'Bearer' },
      { authorization: 'Bearer ' },
      { 'x-api-key': ' ' },
    ]) {
      const response = await postChat(
        edge,
        {},
        { headers: { ...headers, ...JSON_TYPE }, body: 'not json' },
      )
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
      const error = await expectError(response, 401, 'invalid_api_key')
      expect(error.type).toBe('authentication_error')
    }
  })

  it('refuses an authorization that is no bearer token, and an unknown key', async () => {
    const edge = await startEdge()
    for (const authorization of ['Basic abc', 'Bearer a b', KEY, 'Bearer wrong']) {
      const response = await postChat(edge, {}, { headers: { authorization, ...JSON_TYPE } })
      await expectError(response, 401, 'invalid_api_key')
    }
  })

  it('takes the key from either header and hands on nothing but its hash', async () => {
    const edge = await startEdge()
    for (const headers of [{ 'x-api-key': KEY }, { authorization: `bearer  ${KEY}` }]) {
      expect((await postChat(edge, {}, { headers: { ...headers, ...JSON_TYPE } })).status).toBe(200)
    }
    for (const call of edge.backend.calls) {
      expect(call.apiKeyHash).toHaveLength(32)
      expect(JSON.stringify({ ...call, apiKeyHash: '' })).not.toContain(KEY)
    }
  })

  it('shows what the account has, as decimal strings', async () => {
    const edge = await startEdge()
    for (const path of ['/v1/key', '/key']) {
      expect(await (await get(edge, path, { headers: AUTH })).json()).toEqual({
        object: 'key',
        label: 'test',
        account: 'acc_1',
        currency: 'USD',
        balance_nano_usd: { promo: '1', paid: '1152921504606846976', held: '3', available: '4' },
        spent_nano_usd: '5',
      })
    }
    await expectError(await get(edge, '/v1/key'), 401, 'invalid_api_key')
  })
})

describe('models', () => {
  const listed = {
    id: MODEL,
    object: 'model',
    created: 1_700_000_000,
    owned_by: 'lexora',
    context_length: 512,
    quantization: 'Q8_0',
    providers: 2,
    pricing: { prompt: '0.00000015', completion: '2', input_cache_read: '0.000000000000001' },
  }

  it('lists them to anyone, in order', async () => {
    const edge = await startEdge()
    const { price: _price, ...unpriced } = LISTING
    edge.backend.listings = [{ ...unpriced, id: 'z' }, LISTING]
    for (const path of ['/v1/models', '/models', '/v1/models/']) {
      const body = (await (await get(edge, path)).json()) as { data: object[] }
      const { pricing: _pricing, ...plain } = listed
      expect(body).toEqual({ object: 'list', data: [listed, { ...plain, id: 'z' }] })
    }
  })

  it('gives one, with slashes in its name written either way', async () => {
    const edge = await startEdge()
    for (const id of [MODEL, encodeURIComponent(MODEL)]) {
      expect(await (await get(edge, `/v1/models/${id}`)).json()).toEqual(listed)
    }
    const error = await expectError(await get(edge, '/v1/models/canary'), 404, 'model_not_found')
    expect(error.param).toBe('model')
    expect(JSON.stringify(error)).not.toContain('canary')
  })

  it('tests a key that is sent', async () => {
    const edge = await startEdge()
    const bad = { headers: { authorization: 'Bearer wrong' } }
    expect((await get(edge, '/v1/models', { headers: AUTH })).status).toBe(200)
    await expectError(await get(edge, '/v1/models', bad), 401, 'invalid_api_key')
    await expectError(await get(edge, `/v1/models/${MODEL}`, bad), 401, 'invalid_api_key')
  })
})

describe('health', () => {
  it('says whether requests are welcome, and no details', async () => {
    const edge = await startEdge()
    for (const path of ['/health', '/v1/health', '/readyz']) {
      edge.backend.isReady = true
      const good = await get(edge, path)
      expect([good.status, await good.json()]).toEqual([
        200,
        { status: 'ok', checks: [{ name: 'ledger', ok: true }] },
      ])
      edge.backend.isReady = false
      const bad = await get(edge, path)
      expect(bad.headers.get('retry-after')).toBe('1')
      const body = await bad.clone().text()
      expect(body).not.toContain('private detail')
      await expectError(bad, 503, 'not_ready')
      expect((await get(edge, '/livez')).status).toBe(200)
    }
  })

  it('answers HEAD', async () => {
    const edge = await startEdge()
    const response = await get(edge, '/readyz', { method: 'HEAD' })
    expect([response.status, await response.text()]).toEqual([200, ''])
  })
})

describe('limits', () => {
  it('turns chats away above its number, and lets them in again', async () => {
    const edge = await startEdge({ chatsInFlightMax: 1 })
    edge.backend.script = async function* (_call, signal) {
      yield accepted()
      await aborted(signal)
    }
    const first = await rawRequest(edge, rawChat({}))
    await vi.waitFor(() => expect(edge.backend.calls).toHaveLength(1))
    const response = await postChat(edge)
    expect(response.headers.get('retry-after')).toBe('1')
    await expectError(response, 503, 'provider_busy')
    first.destroy()
    edge.backend.script = failsAfter(
      new LexoraError('no_provider', 'Nobody serves this model now.'),
    )
    await vi.waitFor(async () => {
      await expectError(await postChat(edge), 503, 'no_provider')
    })
  })
})

describe('headers of every answer', () => {
  it('carry the request id that the backend sees, and the time it took', async () => {
    const edge = await startEdge()
    const response = await postChat(edge)
    expect(response.headers.get('x-request-id')).toBe(edge.backend.calls[0]?.requestId)
    expect(response.headers.get('openai-processing-ms')).toMatch(/^\d+$/)
  })
})

describe('logs', () => {
  const CANARY = 'canary-b81d'

  it('hold no text of a request or an answer, and no key', async () => {
    const edge = await startEdge({ lingerMs: 1 })
    const say = { messages: [{ role: 'user', content: CANARY }] }
    const bodies: string[] = []
    const ask = async (answer: Promise<Response>): Promise<void> => {
      bodies.push(await (await answer).text().catch(() => ''))
    }
    const spread = new Error(`${CANARY}\n    at ${CANARY}`)
    for (const error of [
      spread,
      new LexoraError('internal', CANARY),
      new LexoraError('timeout', 'late', { cause: spread }),
    ]) {
      edge.backend.script = failsAfter(error)
      await ask(postChat(edge, say))
      edge.backend.script = failsAfter(error, 'hello')
      await ask(postChat(edge, { ...say, stream: true }))
    }
    await ask(postChat(edge, {}, { body: `{"messages": ${CANARY}` }))
    await ask(postChat(edge, { [CANARY]: CANARY, user: CANARY, model: 5, tools: CANARY }))
    await ask(postChat(edge, { ...say, messages: [{ role: CANARY }] }))
    await ask(get(edge, `/v1/${CANARY}?q=${CANARY}`))
    await ask(get(edge, `/v1/models/${CANARY}`))
    await ask(
      postChat(edge, say, { headers: { authorization: `Basic ${CANARY}`, 'user-agent': CANARY } }),
    )
    await vi.waitFor(() =>
      expect(edge.lines.filter((line) => line.includes('request over'))).toHaveLength(12),
    )
    const everything = edge.lines.join('') + bodies.join('')
    expect(everything).not.toContain(CANARY)
    expect(everything).not.toContain(KEY)
    expect(edge.lines.filter((line) => line.includes('"request failed"'))).toHaveLength(4)
  })

  it('hold one line for each request, with these fields', async () => {
    const edge = await startEdge()
    await (await postChat(edge)).text()
    await vi.waitFor(() => expect(edge.lines).toHaveLength(1))
    const line = JSON.parse(edge.lines[0] ?? '') as Record<string, unknown>
    expect(line).toEqual({
      level: 20,
      time: expect.any(Number),
      pid: expect.any(Number),
      hostname: expect.any(String),
      requestId: 'req_000001',
      route: '/v1/chat/completions',
      method: 'POST',
      status: 200,
      complete: true,
      ms: expect.any(Number),
      tokensIn: 7,
      tokensOut: 3,
      msg: 'request over',
    })
  })

  it('say where a fault of ours came from', async () => {
    const edge = await startEdge()
    edge.backend.script = failsAfter(new TypeError('x is not a function'))
    await (await postChat(edge)).text()
    const fault = edge.lines.find((line) => line.includes('"request failed"')) ?? '{}'
    expect(JSON.parse(fault)).toMatchObject({
      level: 50,
      fault: 'TypeError',
      frames: expect.arrayContaining([expect.stringContaining('edge.test.ts')]),
    })
  })
})
