import { quote } from '@lexora/protocol'
import OpenAI from 'openai'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Daemon } from '../../scripts/mesh/daemon.ts'
import { ask, type ChatTarget, type Running } from '../support/chat-client.ts'
import { foretell, questionFor } from '../support/fake-answers.ts'
import {
  type Developer,
  endAfterAll,
  freeze,
  type RealMesh,
  START_MS,
  startRealMesh,
  until,
} from '../support/real-mesh.ts'

// Real processes, real kills. The fake engine gives its words at a known pace, and it is known which.

const DOLLAR = 1_000_000_000n
const TOKEN_MS = 40
/** Long enough for every answer of these tests, short enough to wait for. */
const LEASE_MS = 9_000
/** Requests that show which provider is preferred. */
const PROBES = 3
/** With a lease, restarts and a second core that others use. */
const TEST_MS = 60_000

let mesh: RealMesh
/** Answers of 40 tokens and more, at temperature 0. */
let longPrompt: string
const measured: string[] = []

beforeAll(async () => {
  mesh = await startRealMesh({
    engine: 'fake',
    nodeArgs: ['--slots', '8', '--fake-token-delay', String(TOKEN_MS)],
    ledgerArgs: ['--lease', `${LEASE_MS / 1_000}s`],
  })
  measured.push(`mesh with the fake engine: ready in ${Math.round(mesh.startedInMs)} ms`)
  longPrompt = await questionFor(mesh.model, 40, 50)
}, START_MS)

afterEach(async () => {
  await mesh.repair()
  for (const line of measured.splice(0)) console.log(line)
}, START_MS)

endAfterAll(() => mesh)

/** The words of so many tokens. */
async function wordsOf(content: string, tokens: number): Promise<string> {
  const said = await foretell(mesh.model, content)
  return said.find((each) => each.tokens === tokens)?.text ?? `no word ends at token ${tokens}`
}

function at(index: number, { apiKey }: Pick<Developer, 'apiKey'>): ChatTarget {
  return { url: mesh.gateways[index]?.url ?? '', apiKey }
}

/** Resolves when some words have come, and more are to come. */
async function inTheMiddle(running: Running): Promise<void> {
  await until('the first words', () => running.text().split(' ').length > 3)
}

async function killProviders(): Promise<void> {
  await Promise.all(mesh.providers.map((provider) => provider.kill()))
}

/** The provider that most requests go to now, since it was found the faster one. */
async function preferredProvider(developer: Developer): Promise<Daemon> {
  const question = { model: mesh.model, content: 'Hello', max_tokens: 4 }
  const probes = Array.from({ length: PROBES }, () => ask(at(0, developer), question).heard)
  await Promise.all(probes)
  await settled(developer)
  const holds = await mesh.holdsOf(developer.keyId)
  const countOf = ({ ready }: Daemon): number =>
    holds.filter(({ settlement }) => settlement?.provider === ready.peerId).length
  const [preferred] = mesh.providers.toSorted((a, b) => countOf(b) - countOf(a))
  if (preferred === undefined) throw new Error('no provider')
  return preferred
}

/** Milliseconds until a condition holds. */
async function timed(what: string, condition: () => Promise<boolean> | boolean): Promise<number> {
  const startMs = performance.now()
  await until(what, condition)
  return performance.now() - startMs
}

async function listedProviders(index: number): Promise<number> {
  const response = await fetch(`${mesh.gateways[index]?.url}/v1/models`).catch(() => undefined)
  const listed = (await response?.json()) as { data: { providers: number }[] } | undefined
  return listed?.data[0]?.providers ?? 0
}

async function settled({ accountId }: Developer, ms?: number): Promise<void> {
  await until('nothing is held', async () => (await mesh.balance(accountId)).held === 0n, ms)
}

/** The one hold of a key. */
async function onlyHold({ keyId }: Developer) {
  const holds = await mesh.holdsOf(keyId)
  expect(holds).toHaveLength(1)
  const [hold] = holds
  if (hold === undefined) throw new Error('no hold')
  return hold
}

describe('providers', () => {
  it('killed, all of them: 503 with advice, and answers again when one is back', {
    timeout: TEST_MS,
  }, async () => {
    const developer = await mesh.developer(DOLLAR)
    await killProviders()
    const question = { model: mesh.model, content: 'Hello' }
    for (const index of [0, 1]) {
      for (const stream of [false, true]) {
        const heard = await ask(at(index, developer), { ...question, stream }).heard
        expect(heard).toMatchObject({ status: 503, code: 'no_provider' })
        expect(Number(heard.headers['retry-after'])).toBeGreaterThan(0)
        expect(heard.headers['content-type']).toContain('application/json')
      }
      expect(await listedProviders(index)).toBe(0)
    }
    await settled(developer)
    expect(await mesh.balance(developer.accountId)).toEqual({ held: 0n, available: DOLLAR })

    const startMs = performance.now()
    await mesh.providers[0]?.start()
    const readyMs = performance.now() - startMs
    for (const index of [0, 1]) {
      const backMs = await timed('a provider is back', async () => {
        const heard = await ask(at(index, developer), { ...question, max_tokens: 2 }).heard
        return heard.isSuccess
      })
      measured.push(
        `a new provider: ready after ${Math.round(readyMs)} ms, ` +
          `gateway ${index + 1} answers ${Math.round(backMs)} ms later`,
      )
      expect(backMs).toBeLessThan(3_000)
    }
  })

  it('killed before the first token: others answer, and the client sees nothing of it', {
    timeout: TEST_MS,
  }, async () => {
    const developer = await mesh.developer(DOLLAR)
    const frozen = await preferredProvider(developer)
    freeze(frozen)
    const texts = Array.from({ length: 8 }, (_, index) => `Question number ${index}`)
    const asked = texts.map((content) =>
      ask(at(0, developer), { model: mesh.model, content, stream: true, max_tokens: 20 }),
    )
    const over = new Set<Running>()
    for (const running of asked) void running.heard.then(() => over.add(running))
    // Some have gone to the provider that is there and says nothing. What others have begun, they end.
    await until('the others are over', () =>
      asked.every((running) => running.text() === '' || over.has(running)),
    )
    const waiting = asked.filter((running) => running.text() === '')
    expect(waiting.length).toBeGreaterThan(0)

    const killedAtMs = performance.now()
    await frozen.kill()
    await until('the first words from another', () => waiting.some((each) => each.text() !== ''))
    measured.push(
      `fail-over before the first token: ${Math.round(performance.now() - killedAtMs)} ms from the ` +
        `kill to the first streamed word (one token takes ${TOKEN_MS} ms)`,
    )
    for (const [index, { heard }] of asked.entries()) {
      const { isSuccess, text, usage, body } = await heard
      expect(isSuccess, `question ${index}: ${body}`).toBe(true)
      const said = await foretell(mesh.model, texts[index] ?? '')
      const whole = said.findLast(({ tokens }) => tokens <= 20)
      expect(text).toBe(whole?.text)
      expect(usage?.completion_tokens).toBe(whole?.tokens)
    }
    await settled(developer)
    const holds = await mesh.holdsOf(developer.keyId)
    expect(holds.map(({ state }) => state)).toEqual(holds.map(() => 'captured'))
    // The probes, and one hold for each question, however often it was tried.
    expect(holds).toHaveLength(PROBES + texts.length)
  })

  it('killed in the middle: an error in the stream, no clean end, and only what was delivered is paid', {
    timeout: TEST_MS,
  }, async () => {
    const own = await mesh.developer(DOLLAR)
    const running = ask(at(0, own), { model: mesh.model, content: longPrompt, stream: true })
    await inTheMiddle(running)
    await killProviders()
    const heard = await running.heard
    expect(heard).toMatchObject({ status: 200, code: 'provider_lost', isSuccess: false })
    expect(heard.isWhole).toBe(false)
    expect(heard.body).not.toContain('[DONE]')
    expect(heard.body).not.toContain('"finish_reason":"stop"')

    await settled(own)
    const hold = await onlyHold(own)
    expect(hold).toMatchObject({
      state: 'captured',
      settlement: { source: 'gateway', signedByProvider: false, finishReason: 'failed' },
    })
    const { usage, cost } = hold.settlement ?? {}
    if (usage === undefined || cost === undefined) throw new Error('not settled')
    expect(heard.text).not.toBe('')
    expect(await wordsOf(longPrompt, usage.completionTokens)).toBe(heard.text)
    expect(cost).toBe(quote(await mesh.price(), usage))
    expect(await mesh.balance(own.accountId)).toEqual({ held: 0n, available: DOLLAR - cost })
  })

  it('killed in the middle, all of them: the SDK throws, and an answer that is not streamed costs nothing', {
    timeout: TEST_MS,
  }, async () => {
    const own = await mesh.developer(DOLLAR)
    const client = new OpenAI({
      apiKey: own.apiKey,
      baseURL: `${mesh.gateways[1]?.url}/v1`,
      maxRetries: 0,
    })
    const messages = [{ role: 'user' as const, content: longPrompt }]
    const params = { model: mesh.model, messages, temperature: 0 }
    const other = await mesh.developer(DOLLAR)
    const whole = client
      .withOptions({ apiKey: other.apiKey })
      .chat.completions.create(params)
      .catch((error: unknown) => error)
    const stream = await client.chat.completions.create({ ...params, stream: true })
    let text = ''
    const read = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    })().catch((error: unknown) => error)
    await until('the first words', () => text.split(' ').length > 3)
    await killProviders()
    const broken = await read
    expect(broken).toBeInstanceOf(OpenAI.APIError)
    expect(broken).toMatchObject({ code: 'provider_lost' })
    const failed = await whole
    expect(failed).toBeInstanceOf(OpenAI.InternalServerError)
    expect(failed).toMatchObject({ status: 503, code: 'no_provider' })
    await settled(other)
    expect((await onlyHold(other)).state).toBe('voided')
    expect(await mesh.balance(other.accountId)).toEqual({ held: 0n, available: DOLLAR })
  })

  it('killed in the middle of an answer that is not streamed: another gives the whole of it', {
    timeout: TEST_MS,
  }, async () => {
    const own = await mesh.developer(DOLLAR)
    const question = { model: mesh.model, content: longPrompt, max_tokens: 35 }
    const victim = await preferredProvider(await mesh.developer(DOLLAR))
    const asked = Array.from({ length: 4 }, () => ask(at(0, own), question))
    const watched = ask(at(0, own), { ...question, stream: true })
    await inTheMiddle(watched)
    await victim.kill()
    const said = await foretell(mesh.model, longPrompt)
    const whole = said.findLast(({ tokens }) => tokens <= 35)
    for (const { heard } of asked) {
      const { isSuccess, text, usage, body } = await heard
      expect(isSuccess, body).toBe(true)
      expect(text).toBe(whole?.text)
      expect(usage?.completion_tokens).toBe(whole?.tokens)
    }
    await watched.heard
    await settled(own)
    const survivor = mesh.providers.find((provider) => provider !== victim)?.ready.peerId
    const paid = (await mesh.holdsOf(own.keyId)).filter(
      ({ settlement }) => settlement?.finishReason === 'length',
    )
    expect(paid.length).toBeGreaterThanOrEqual(asked.length)
    for (const { settlement } of paid) expect(settlement?.provider).toBe(survivor)
  })

  it('killed and started again: go on with the same identity', { timeout: TEST_MS }, async () => {
    const [provider] = mesh.providers
    if (provider === undefined) throw new Error('no provider')
    const { peerId } = provider.ready
    const members = await mesh.operate<{ peerId: string }[]>('member.list', { limit: 1_000 })
    await provider.kill()
    await provider.start()
    expect(provider.ready.peerId).toBe(peerId)
    await mesh.settled()
    const after = await mesh.operate<{ peerId: string }[]>('member.list', { limit: 1_000 })
    expect(after).toEqual(members)
  })
})

describe('a gateway', () => {
  it("killed in the middle: the provider's own receipt settles the hold", {
    timeout: TEST_MS,
  }, async () => {
    const own = await mesh.developer(DOLLAR)
    const running = ask(at(0, own), { model: mesh.model, content: longPrompt, stream: true })
    await inTheMiddle(running)
    await mesh.gateways[0]?.kill()
    const killedAtMs = performance.now()
    const heard = await running.heard
    expect(heard).toMatchObject({ isSuccess: false, isWhole: false })
    expect((await mesh.balance(own.accountId)).held).toBeGreaterThan(0n)

    await settled(own, LEASE_MS + 10_000)
    measured.push(
      `gateway killed: the hold was settled ${Math.round(performance.now() - killedAtMs)} ms later ` +
        `(the lease is ${LEASE_MS} ms)`,
    )
    const hold = await onlyHold(own)
    expect(hold).toMatchObject({
      state: 'captured',
      settlement: { source: 'claim', signedByProvider: true, finishReason: 'cancelled' },
    })
    const { usage, cost } = hold.settlement ?? {}
    const said = await wordsOf(longPrompt, usage?.completionTokens ?? 0)
    expect(said.startsWith(heard.text)).toBe(true)
    // Far less than the whole: the engine stopped.
    expect(said.length).toBeLessThan(
      (await foretell(mesh.model, longPrompt)).at(-1)?.text.length ?? 0,
    )
    expect(await mesh.balance(own.accountId)).toEqual({
      held: 0n,
      available: DOLLAR - (cost ?? 0n),
    })
  })

  it('killed in the middle with its provider: the hold expires and the money is free', {
    timeout: TEST_MS,
  }, async () => {
    const own = await mesh.developer(DOLLAR)
    const running = ask(at(1, own), { model: mesh.model, content: longPrompt, stream: true })
    await inTheMiddle(running)
    // It hears nothing more and so attests nothing; its provider falls before it could claim.
    const [, gateway] = mesh.gateways
    if (gateway === undefined) throw new Error('no gateway')
    freeze(gateway)
    await killProviders()
    await gateway.kill()
    expect(await running.heard).toMatchObject({ isSuccess: false, isWhole: false })
    await settled(own, LEASE_MS + 10_000)
    const hold = await onlyHold(own)
    expect(hold.state).toBe('expired')
    expect(hold.settlement).toBeUndefined()
    expect(await mesh.balance(own.accountId)).toEqual({ held: 0n, available: DOLLAR })
  })

  it('started again: finds its providers within three seconds', { timeout: TEST_MS }, async () => {
    const developer = await mesh.developer(DOLLAR)
    const [gateway] = mesh.gateways
    await gateway?.kill()
    // The other one does not care.
    const question = { model: mesh.model, content: 'Hello', max_tokens: 2 }
    expect((await ask(at(1, developer), question).heard).isSuccess).toBe(true)
    const peerId = gateway?.ready.peerId
    const startMs = performance.now()
    await gateway?.start()
    const readyMs = performance.now() - startMs
    const foundMs = await timed('both providers', async () => (await listedProviders(0)) === 2)
    measured.push(
      `a gateway started again: ready after ${Math.round(readyMs)} ms, ` +
        `both providers ${Math.round(foundMs)} ms later`,
    )
    expect(foundMs).toBeLessThan(3_000)
    expect(gateway?.ready.peerId).toBe(peerId)
    expect((await ask(at(0, developer), question).heard).isSuccess).toBe(true)
  })

  it('killed when it had the answer: settles after its restart', { timeout: TEST_MS }, async () => {
    const own = await mesh.developer(DOLLAR)
    // Nothing can be settled while the ledger hears nothing.
    const running = ask(at(0, own), { model: mesh.model, content: longPrompt, stream: true })
    await inTheMiddle(running)
    freeze(mesh.ledger)
    const heard = await running.heard
    expect(heard.isSuccess).toBe(true)
    await mesh.gateways[0]?.kill()
    mesh.ledger.child?.kill('SIGCONT')
    await mesh.gateways[0]?.start()
    await settled(own, LEASE_MS + 10_000)
    const { state, settlement } = await onlyHold(own)
    expect(state).toBe('captured')
    expect(settlement).toMatchObject({ signedByProvider: true, finishReason: 'stop' })
    expect(settlement?.usage.completionTokens).toBe(heard.usage?.completion_tokens)
  })
})

describe('the ledger', () => {
  it('killed: 503 and nothing free; what runs ends well, and is settled when the ledger is back', {
    timeout: TEST_MS,
  }, async () => {
    const own = await mesh.developer(DOLLAR)
    const before = await mesh.developer(DOLLAR)
    const running = [0, 1].map((index) =>
      ask(at(index, before), { model: mesh.model, content: longPrompt, stream: true }),
    )
    await Promise.all(running.map(inTheMiddle))
    await mesh.ledger.kill()
    for (const index of [0, 1]) {
      for (const stream of [false, true]) {
        const question = { model: mesh.model, content: 'Hello', stream }
        const heard = await ask(at(index, own), question).heard
        expect(heard).toMatchObject({ status: 503, code: 'ledger_unavailable', text: '' })
        expect(Number(heard.headers['retry-after'])).toBeGreaterThan(0)
        expect(heard.message).toContain('Nothing was charged')
      }
    }
    const answers = await Promise.all(running.map(({ heard }) => heard))
    for (const { isSuccess, text } of answers) {
      expect(isSuccess).toBe(true)
      expect(text).toBe((await foretell(mesh.model, longPrompt)).at(-1)?.text)
    }

    const startMs = performance.now()
    await mesh.ledger.start()
    const readyMs = performance.now() - startMs
    const backMs = await timed('an answer', async () => {
      const question = { model: mesh.model, content: 'Hello', max_tokens: 2 }
      const heard = await Promise.all([0, 1].map((index) => ask(at(index, own), question).heard))
      return heard.every(({ isSuccess }) => isSuccess)
    })
    measured.push(
      `the ledger started again: ready after ${Math.round(readyMs)} ms, ` +
        `both gateways answer ${Math.round(backMs)} ms later`,
    )
    await settled(before)
    const holds = await mesh.holdsOf(before.keyId)
    const price = await mesh.price()
    let spent = 0n
    for (const [index, { usage }] of answers.entries()) {
      const hold = holds[index]
      expect(hold?.state, `answer ${index}`).toBe('captured')
      expect(hold?.settlement?.usage.completionTokens).toBe(usage?.completion_tokens)
      spent += hold?.settlement === undefined ? 0n : quote(price, hold.settlement.usage)
    }
    expect(await mesh.balance(before.accountId)).toEqual({ held: 0n, available: DOLLAR - spent })
  })

  it('frozen: 503 in bounded time, and no request is served free', {
    timeout: TEST_MS,
  }, async () => {
    const own = await mesh.developer(DOLLAR)
    freeze(mesh.ledger)
    const startMs = performance.now()
    const asked = [0, 1].map((index) =>
      ask(at(index, own), { model: mesh.model, content: 'Hello' }),
    )
    const heard = await Promise.all(asked.map((running) => running.heard))
    mesh.ledger.child?.kill('SIGCONT')
    measured.push(`a frozen ledger: 503 after ${Math.round(performance.now() - startMs)} ms`)
    for (const each of heard) {
      expect(each).toMatchObject({ status: 503, code: 'ledger_unavailable', text: '' })
    }
    // The holds that it placed when it woke up had nobody waiting for them: they expire.
    await until('it answers again', async () => {
      const question = { model: mesh.model, content: 'Hello', max_tokens: 2 }
      return (await ask(at(0, own), question).heard).isSuccess
    })
    await settled(own, LEASE_MS + 10_000)
    for (const { state, settlement } of await mesh.holdsOf(own.keyId)) {
      if (settlement === undefined) expect(state).toBe('expired')
      else expect(settlement.usage.completionTokens).toBe(2)
    }
  })
})

describe('two gateways and one balance', () => {
  it('accept together as many requests as the balance covers, and never one more', {
    timeout: TEST_MS,
  }, async () => {
    const covered = 5
    const own = await mesh.developer(0n)
    const question = { model: mesh.model, content: longPrompt, max_tokens: 30 }
    // What one hold takes is what the refusal names as the cost.
    const probe = await ask(at(0, own), question).heard
    const [, cost] = /may cost up to \$(\d+\.\d+)/.exec(probe.message) ?? []
    const ceiling = BigInt(Math.round(Number(cost) * 1e9))
    expect(ceiling).toBeGreaterThan(0n)
    const credit = BigInt(covered) * ceiling + ceiling - 1n
    const amount = credit.toString()
    await mesh.operate('account.deposit', { accountId: own.accountId, amount, id: 'exactly' })

    const asked = Array.from({ length: 24 }, (_, index) => ask(at(index % 2, own), question))
    const heard = await Promise.all(asked.map((running) => running.heard))
    const served = heard.filter(({ isSuccess }) => isSuccess)
    const refused = heard.filter(({ isSuccess }) => !isSuccess)
    expect(served).toHaveLength(covered)
    for (const each of refused) {
      expect(each).toMatchObject({ status: 402, code: 'credit_reserved' })
      expect(each.headers['x-should-retry']).toBe('true')
    }
    await settled(own)
    const holds = await mesh.holdsOf(own.keyId)
    expect(holds.map(({ state }) => state)).toEqual(served.map(() => 'captured'))
    let left = credit
    for (const { settlement } of holds) left -= settlement?.cost ?? 0n
    expect(await mesh.balance(own.accountId)).toEqual({ held: 0n, available: left })

    // On to the last nano-dollar: refused for good, and nothing below zero.
    for (;;) {
      const rest = await Promise.all([0, 1].map((index) => ask(at(index, own), question).heard))
      expect((await mesh.balance(own.accountId)).available).toBeGreaterThanOrEqual(0n)
      await settled(own)
      if (rest.every(({ code }) => code === 'insufficient_credit')) break
    }
    const { available } = await mesh.balance(own.accountId)
    expect(available).toBeGreaterThanOrEqual(0n)
    expect(available).toBeLessThan(ceiling)
  })
})

describe('after all that', () => {
  it('the books balance', { timeout: TEST_MS }, async () => {
    await until('no open holds', async () => (await mesh.verify()).holds.open === 0)
    const books = await mesh.verify()
    expect(books.problems).toEqual([])
    expect(books.sumCaptured).toBe(books.sumReceipts)
    expect(books.sumCaptured).toBe(books.sumFees + books.sumProviderShares)
  })
})
