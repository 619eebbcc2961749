import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import { Level } from 'level'
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ask, type ChatTarget, type Heard, type Running, send } from '../support/chat-client.ts'
import { findLeaks, type Needles, namesIn } from '../support/leaks.ts'
import {
  type Developer,
  endAfterAll,
  freeze,
  type RealMesh,
  START_MS,
  startRealMesh,
  until,
} from '../support/real-mesh.ts'

// What users say, what models answer and what opens doors must be found nowhere. All processes log all that they can.

const CREDIT = 1_000_000_000n
const TEST_MS = 60_000
const STORY = 'Tell me a long story.'

/** In everything that is sent as a conversation, well-formed or not. */
const prompt = `canary${randomBytes(12).toString('hex')}`
/** In names, addresses, heads: what is no conversation and is nobody's business either. */
const elsewhere = `finch${randomBytes(12).toString('hex')}`

let mesh: RealMesh
let developer: Developer
/** Everything that a client was told. */
const told: string[] = []
/** What the model said. */
const answers = new Set<string>()

beforeAll(async () => {
  mesh = await startRealMesh({ logLevel: 'debug', ledgerArgs: ['--lease', '6s'] })
  developer = await mesh.developer(CREDIT)
}, START_MS)

afterEach(() => mesh.repair(), START_MS)

endAfterAll(() => mesh)

function target(index = 0): ChatTarget {
  return { url: mesh.gateways[index]?.url ?? '', apiKey: developer.apiKey }
}

async function note({ heard }: Running): Promise<Heard> {
  const result = await heard
  told.push(JSON.stringify(result.headers), result.isSuccess ? '' : result.message, result.body)
  if (result.text.length > 40) answers.add(result.text)
  return result
}

/** A body with the canary in its only message. */
function body(changes: object = {}): string {
  const messages = [{ role: 'user', content: `${STORY} ${prompt}` }]
  return JSON.stringify({ model: mesh.model, messages, ...changes })
}

/** A long answer under way, to a prompt with the canary. */
async function begun(index = 0): Promise<Running> {
  const long = { temperature: 0, frequency_penalty: -2, max_tokens: 1_800, stream: true }
  const messages = [
    { role: 'system', content: prompt },
    { role: 'user', content: STORY },
  ]
  const running = send(target(index), body({ ...long, messages }))
  await until('the first words', () => running.text().length > 60)
  answers.add(running.text())
  return running
}

/** Sends bytes to a gateway and reads what it says. */
async function sendBytes(bytes: string): Promise<string> {
  const socket = connect(Number(new URL(target().url).port), '127.0.0.1')
  socket.write(bytes)
  return readAll(socket)
}

describe('with a canary in it', () => {
  it('requests are answered, whole and streamed', async () => {
    for (const index of [0, 1]) {
      for (const stream of [false, true]) {
        const question = { model: mesh.model, content: `${STORY} ${prompt}`, stream }
        expect((await note(ask(target(index), question))).status).toBe(200)
        const story = { ...question, content: STORY, temperature: 1, max_tokens: 200 }
        expect((await note(ask(target(index), story))).isSuccess).toBe(true)
      }
    }
    const many = body({
      messages: ['system', 'user', 'assistant', 'user'].map((role) => ({
        role,
        name: prompt,
        content: [{ type: 'text', text: prompt }],
      })),
      stop: [prompt],
      user: prompt,
      metadata: { key: prompt },
    })
    expect((await note(send(target(), many))).status).toBe(200)
  })

  it.each<[string, () => [string, Record<string, string>?], number]>([
    ['cut off', () => [body().slice(0, -1)], 400],
    ['no JSON', () => [prompt], 400],
    ['of another shape', () => [`["${prompt}"]`], 400],
    ['too large', () => [body({ user: prompt + 'x'.repeat(1_100_000) })], 413],
    ['of another type', () => [body(), { 'content-type': 'text/plain' }], 415],
    ['compressed', () => [body(), { 'content-encoding': 'gzip' }], 415],
    ['with a wrong value', () => [body({ temperature: prompt })], 400],
    ['with a wrong role', () => [body({ messages: [{ role: prompt, content: prompt }] })], 400],
    [
      'with wrong content',
      () => [body({ messages: [{ role: 'user', content: { [prompt]: prompt } }] })],
      400,
    ],
    [
      'with a tool',
      () => [body({ tools: [{ type: 'function', function: { name: prompt } }] })],
      400,
    ],
    ['with a schema', () => [body({ response_format: { type: prompt } })], 400],
    [
      'too long for the model',
      () => [body({ messages: [{ role: 'user', content: `${prompt} `.repeat(400) }] })],
      400,
    ],
    [
      'too dear',
      () => [body({ messages: [{ role: 'user', content: prompt.repeat(25_000) }] }), {}],
      402,
    ],
  ])('a body %s is refused', async (_name, make, status) => {
    const [bytes, headers] = make()
    const poor = status === 402 ? await mesh.developer(1_000n) : developer
    const heard = await note(send({ ...target(), apiKey: poor.apiKey }, bytes, headers))
    expect(heard.status, heard.body).toBe(status)
  })

  it('other places are refused, and not repeated', async () => {
    const { url, apiKey } = target()
    const authorization = `Bearer ${apiKey}`
    for (const [path, init] of [
      [`/v1/models/${elsewhere}`, {}],
      [`/v1/${elsewhere}`, {}],
      [`/v1/models?${elsewhere}=${elsewhere}`, { headers: { [elsewhere]: elsewhere } }],
      ['/v1/models', { method: 'DELETE', headers: { 'user-agent': elsewhere } }],
      ['/v1/key', { headers: { authorization: `Bearer ${elsewhere}` } }],
      ['/v1/key', { headers: { authorization: elsewhere } }],
      ['/metrics', {}],
      ['/readyz', {}],
      ['/v1/health', {}],
    ] as const) {
      const response = await fetch(url + path, {
        ...init,
        headers: { authorization, ...('headers' in init ? init.headers : {}) },
      })
      told.push(await response.text(), JSON.stringify([...response.headers]))
    }
    const wrongKey = { url, apiKey: `lx_test_${elsewhere}` }
    expect((await note(ask(wrongKey, { model: mesh.model, content: prompt }))).status).toBe(401)
    told.push(await sendBytes(`${elsewhere} ${prompt}\r\n\r\n`))
    told.push(await sendBytes(`GET /${elsewhere} HTTP/1.1\r\n${prompt}\r\n\r\n`))
  })

  it('an unknown model is refused, by the name that was sent', async () => {
    const heard = await ask(target(), { model: elsewhere, content: prompt }).heard
    expect(heard).toMatchObject({ status: 404 })
    expect(namesIn(heard.body, { prompt })).toEqual([])
  })

  it('clients leave', async () => {
    const running = await begun()
    running.leave()
    expect((await running.heard).isSuccess).toBe(false)
    const whole = send(
      target(1),
      body({ temperature: 0, frequency_penalty: -2, max_tokens: 1_800 }),
    )
    // The model may end sooner than anybody can look.
    let isAnswered = false
    void whole.heard.then(() => {
      isAnswered = true
    })
    const isUnderWay = async () => isAnswered || (await mesh.balance(developer.accountId)).held > 0n
    await until('it runs', isUnderWay)
    whole.leave()
    await until('nothing runs', async () => (await mesh.balance(developer.accountId)).held === 0n)
  })

  it('providers are killed', { timeout: TEST_MS }, async () => {
    const running = await begun()
    await Promise.all(mesh.providers.map((provider) => provider.kill()))
    expect((await note(running)).code).toBe('provider_lost')
    expect((await note(send(target(), body()))).code).toBe('no_provider')
  })

  it('providers are stopped in the middle', { timeout: TEST_MS }, async () => {
    const running = await begun(1)
    await Promise.all(mesh.providers.map((provider) => provider.stop(500)))
    await note(running)
  })

  it('a gateway is killed', { timeout: TEST_MS }, async () => {
    const running = await begun()
    await mesh.gateways[0]?.kill()
    expect((await note(running)).isSuccess).toBe(false)
    // The provider's claim is on its way, or the hold ends.
    const isOver = async () => (await mesh.balance(developer.accountId)).held === 0n
    await until('the hold ends', isOver, 30_000)
  })

  it('the ledger is frozen and killed', { timeout: TEST_MS }, async () => {
    const running = await begun(1)
    freeze(mesh.ledger)
    expect((await note(send(target(0), body()))).code).toBe('ledger_unavailable')
    await mesh.ledger.kill()
    running.leave()
    await running.heard
    expect((await note(send(target(1), body({ stream: true })))).code).toBe('ledger_unavailable')
  })
})

describe('afterwards', () => {
  it('no answer to a client repeats what it sent', () => {
    expect(told.length).toBeGreaterThan(40)
    const needles = { prompt, elsewhere, key: developer.apiKey }
    // The model's own words are its user's; all else is ours.
    for (const line of told.filter((each) => !each.includes('chat.completion'))) {
      expect(namesIn(line, needles), line.slice(0, 500)).toEqual([])
    }
  })

  it('no log and no store holds a word of it, nor a key, nor a token', {
    timeout: TEST_MS,
  }, async () => {
    await mesh.stop()
    const { enrolments } = JSON.parse(await readFile(join(mesh.home, 'demo.json'), 'utf8')) as {
      enrolments: Record<string, { token: string }>
    }
    const tokens = Object.entries(enrolments).map(([name, { token }]) => [
      `token of ${name}`,
      token,
    ])
    expect(tokens).toHaveLength(4)
    expect(answers.size).toBeGreaterThan(2)
    const words = [...answers].map((answer, index) => [`answer ${index}`, answer.slice(20, 50)])
    const needles: Needles = {
      prompt,
      elsewhere,
      story: STORY,
      key: developer.apiKey,
      // Its end is shown, so that people know their keys apart.
      'most of a key': developer.apiKey.slice(0, -4),
      'the demo key': mesh.apiKey,
      ...Object.fromEntries([...tokens, ...words]),
    }
    // The demo's own notes, on its user's request, and nothing else.
    const allowed = /^(the demo key|token of .*) in demo\.json$/
    const finds = await findLeaks(mesh.home, needles)
    expect(finds.filter((find) => !allowed.test(find))).toEqual([])
    expect(finds).toContain('the demo key in demo.json')

    // What must be there is found, in the same way and in the same places.
    const known = await findLeaks(mesh.home, { model: mesh.model, account: developer.accountId })
    expect(known).toContain('account in ledger/journal (value)')
    expect(known).toContain('account in logs/ledger.log')
    expect(known).toContain('model in logs/provider-1.log')
  })
})

describe('findLeaks()', () => {
  it('finds a text in records that are compressed, and in any dress', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lexora-leaks-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const database = new Level<string, string>(join(folder, 'store'))
    const dresses: Record<string, string> = {
      plain: prompt,
      base64: Buffer.from(`ab${prompt}`).toString('base64'),
      base64url: `"x":"${Buffer.from(`a${prompt}`).toString('base64url')}"`,
      hex: Buffer.from(prompt).toString('hex'),
      wide: Buffer.from(prompt, 'utf16le').toString('latin1'),
    }
    for (const [name, dress] of Object.entries(dresses)) {
      expect(namesIn(Buffer.from(`so ${dress} on`, 'latin1'), { prompt }), name).toEqual(['prompt'])
      await database.put(name, `${'again and '.repeat(500)}${dress}`)
    }
    await database.put(`key ${elsewhere}`, 'x')
    // Opened again, it moves its log into a compressed table.
    await database.close()
    await database.open()
    await database.close()
    expect(await readdir(join(folder, 'store'))).toContainEqual(expect.stringMatching(/\.ldb$/))
    const finds = await findLeaks(folder, { prompt, elsewhere, other: 'nowhere-to-be-found' })
    expect(finds).toContain('prompt in store (value)')
    expect(finds).toContain('elsewhere in store (key)')
    expect(finds.some((find) => find.startsWith('other'))).toBe(false)
  })
})
