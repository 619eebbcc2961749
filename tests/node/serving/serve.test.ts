import { randomBytes } from 'node:crypto'
import {
  CLOCK_SKEW_MS,
  chatRequestCodec,
  type ErrorCode,
  LexoraError,
  openReceipt,
  requestHash,
  VOUCHER_LIFETIME_MS,
} from '@lexora/protocol'
import { describe, expect, it, vi } from 'vitest'
import type { Engine, EngineEvent, EngineStream } from '../../../node/src/engines/engine.ts'
import { createFakeEngine } from '../../../node/src/engines/fake-engine.ts'
import type { FakeEngineOptions, FakeFault } from '../../../node/src/engines/fake-settings.ts'
import { testNetwork, testRequest, testSigner } from '../network.ts'
import { idsOf, infer, readAnswer, type ServingPair, servingPair } from './serving-pair.ts'

const network = testNetwork()

function fake(options: FakeEngineOptions = {}): Engine {
  return createFakeEngine({}, { slots: 2, answerTokens: 20, ...options })
}

/** An engine that plays what it is told to. */
function scripted(play: (signal: AbortSignal) => AsyncGenerator<EngineEvent, void, void>): Engine {
  const base = fake()
  return { ...base, name: 'scripted', chat: (_request, { signal }) => play(signal) }
}

const accepted: EngineEvent = { kind: 'accepted', promptTokens: 10, cachedTokens: 4 }
const finished = (completionTokens: number): EngineEvent => ({
  kind: 'finished',
  reason: 'stop',
  usage: { promptTokens: 10, cachedTokens: 4, completionTokens },
  timings: { queueMs: 0.4, prefillMs: 1.6, decodeMs: 3 },
})

async function expectRefusal(
  pair: ServingPair,
  payload: Uint8Array,
  code: ErrorCode,
): Promise<LexoraError> {
  const error = await readAnswer(infer(pair, payload)).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(LexoraError)
  expect((error as LexoraError).code).toBe(code)
  return error as LexoraError
}

/** Nothing runs, nothing was kept: what a refusal must leave behind. */
function expectUntouched(pair: ServingPair): void {
  expect(pair.slots.running).toBe(0)
  expect(pair.outbox.entries).toHaveLength(0)
}

const untilIdle = (pair: ServingPair): Promise<boolean> =>
  pair.slots.idle(AbortSignal.timeout(5_000))

describe('serve: an answer', () => {
  it('is an accept, tokens numbered without a gap, and a signed receipt for exactly them', async () => {
    const pair = await servingPair(network, fake())
    const { request, voucher, payload } = testRequest(network)
    const { events, terminal } = await readAnswer(infer(pair, payload))

    expect(events[0]).toMatchObject({ kind: 'accept' })
    const tokens = events.slice(1)
    expect(tokens.map((event) => event.kind === 'tokens' && event.sequence)).toEqual(
      tokens.map((_, index) => index),
    )
    const { receipt, signedBy } = openReceipt(terminal.receipt)
    expect(signedBy).toBe(network.provider.peerId)
    expect(receipt).toMatchObject({
      holdId: voucher.holdId,
      provider: network.provider.peerId,
      gateway: network.gateway.peerId,
      model: 'fake',
      priceVersion: 7,
      tokenStart: 0,
      tokenEnd: 20,
      finishReason: terminal.finishReason,
      usage: terminal.usage,
    })
    expect(terminal.usage.completionTokens).toBe(idsOf(events).length)
    expect(Buffer.from(receipt.requestId)).toEqual(Buffer.from(request.requestId))
    expect(Buffer.from(receipt.requestHash)).toEqual(
      Buffer.from(requestHash(request.salt, chatRequestCodec.encode(request.chat))),
    )
    expect(pair.outbox.entries).toEqual([
      { holdId: voucher.holdId, receipt: expect.anything(), gatewayLost: false },
    ])
    expect(Buffer.from(pair.outbox.entries[0]?.receipt ?? [])).toEqual(
      Buffer.from(terminal.receipt),
    )
    expect(await untilIdle(pair)).toBe(true)
  })

  it('has its receipt in the outbox before the terminal frame leaves', async () => {
    const pair = await servingPair(network, fake())
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const reached = vi.fn()
    pair.outbox.beforePut = () => {
      reached()
      return gate
    }
    let isDone = false
    const answer = readAnswer(infer(pair, testRequest(network).payload)).finally(() => {
      isDone = true
    })
    await vi.waitFor(() => {
      expect(reached).toHaveBeenCalled()
    })
    // Several turns of the loop: a terminal frame that was not waiting would have arrived.
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate)
    expect(isDone).toBe(false)
    open()
    await answer
    expect(pair.outbox.entries).toHaveLength(1)
  })

  it('ends well even when the outbox cannot keep the receipt', async () => {
    const pair = await servingPair(network, fake())
    pair.outbox.beforePut = () => Promise.reject(new LexoraError('storage_full', 'full'))
    const { terminal } = await readAnswer(infer(pair, testRequest(network).payload))
    expect(openReceipt(terminal.receipt).receipt.tokenEnd).toBe(20)
    expect(pair.lines).toContainEqual(expect.objectContaining({ message: 'receipt not kept' }))
  })

  it('of no tokens at all is paid for its prompt while the gateway is there', async () => {
    const engine = scripted(async function* () {
      yield accepted
      yield finished(0)
    })
    const pair = await servingPair(network, engine)
    const { terminal } = await readAnswer(infer(pair, testRequest(network).payload))
    expect(terminal).toMatchObject({ finishReason: 'stop', usage: { completionTokens: 0 } })
    const { receipt } = openReceipt(terminal.receipt)
    expect(receipt).toMatchObject({ queueMs: 0, prefillMs: 2, decodeMs: 3, tokenEnd: 0 })
    expect(pair.outbox.entries).toHaveLength(1)
  })

  it('feeds the moving average of decode speed', async () => {
    const pair = await servingPair(network, fake({ tokenDelayMs: 1 }))
    expect(pair.slots.loads()[0]?.decodeTokensPerSecond).toBe(0)
    await readAnswer(infer(pair, testRequest(network).payload))
    await untilIdle(pair)
    const speed = pair.slots.loads()[0]?.decodeTokensPerSecond ?? 0
    expect(speed).toBeGreaterThan(0)
    expect(speed).toBeLessThan(1_000)
  })
})

describe('serve: refusals before a cycle is spent', () => {
  const refusals: [string, ErrorCode, () => Uint8Array][] = [
    ['bytes that are no request', 'malformed', () => randomBytes(200)],
    [
      'a voucher of another signer',
      'voucher_invalid',
      () => testRequest(network, { signer: testSigner() }).payload,
    ],
    [
      'bytes for a voucher',
      'voucher_invalid',
      () => testRequest(network, { request: { voucher: randomBytes(80) } }).payload,
    ],
    [
      'a voucher of another gateway',
      'voucher_invalid',
      () => testRequest(network, { voucher: { gateway: testSigner().peerId } }).payload,
    ],
    [
      'an expired voucher',
      'voucher_invalid',
      () =>
        testRequest(network, { voucher: { expiresAtMs: Date.now() - CLOCK_SKEW_MS - 1_000 } })
          .payload,
    ],
    [
      'a voucher that lives too long',
      'voucher_invalid',
      () => {
        const expiresAtMs = Date.now() + VOUCHER_LIFETIME_MS + CLOCK_SKEW_MS + 60_000
        return testRequest(network, { voucher: { expiresAtMs } }).payload
      },
    ],
    [
      'a voucher for another request',
      'voucher_invalid',
      () => testRequest(network, { request: { requestId: randomBytes(16) } }).payload,
    ],
    [
      'a voucher for another model',
      'voucher_invalid',
      () => testRequest(network, { voucher: { model: 'cheap' } }).payload,
    ],
    [
      'a voucher for fewer tokens',
      'voucher_invalid',
      () => testRequest(network, { voucher: { maxTokens: 63 } }).payload,
    ],
    [
      'a model that is not here',
      'model_not_found',
      () => testRequest(network, { chat: { model: 'absent' } }).payload,
    ],
  ]

  it.each(refusals)('refuses %s with %s', async (_name, code, payload) => {
    const asked = vi.fn()
    const engine = fake({
      fault: () => {
        asked()
        return undefined
      },
    })
    const pair = await servingPair(network, engine)
    await expectRefusal(pair, payload(), code)
    expect(asked).not.toHaveBeenCalled()
    expectUntouched(pair)
  })

  it('refuses while draining, and when the outbox takes no more', async () => {
    const pair = await servingPair(network, fake())
    pair.outbox.refused = new LexoraError('storage_full', 'full')
    await expectRefusal(pair, testRequest(network).payload, 'storage_full')
    pair.outbox.refused = undefined
    pair.slots.drain()
    await expectRefusal(pair, testRequest(network).payload, 'provider_draining')
    expectUntouched(pair)
  })

  it('refuses one request more than there are slots, and serves again once one ends', async () => {
    const pair = await servingPair(network, fake({ tokenDelayMs: 5 }))
    const first = testRequest(network)
    const running = [first, testRequest(network)].map(({ payload }) => infer(pair, payload))
    await vi.waitFor(() => {
      expect(pair.slots.running).toBe(2)
    })
    const third = testRequest(network)
    await expectRefusal(pair, third.payload, 'provider_busy')
    await Promise.all(running.map((call) => readAnswer(call)))
    // The refused voucher was not used up.
    await readAnswer(infer(pair, third.payload))
  })

  it('passes the engine’s own refusals on, with no receipt and the voucher unused', async () => {
    const pair = await servingPair(network, fake({ contextTokens: 8 }))
    const { payload } = testRequest(network, {
      chat: { messages: [{ role: 'user', content: 'word '.repeat(50) }] },
    })
    const error = await expectRefusal(pair, payload, 'context_length_exceeded')
    expect(error.facts['contextTokens']).toBe(8)
    await expectRefusal(pair, payload, 'context_length_exceeded')
    expectUntouched(pair)
  })

  it('refuses a prompt beyond the voucher and frees the engine’s slot', async () => {
    const engine = fake({ slots: 1 })
    const pair = await servingPair(network, engine)
    const { payload } = testRequest(network, { voucher: { promptTokensMax: 1 } })
    const error = await expectRefusal(pair, payload, 'voucher_invalid')
    expect(error.facts['promptTokensMax']).toBe(1)
    expectUntouched(pair)
    await readAnswer(infer(pair, testRequest(network).payload))
  })
})

describe('serve: replays', () => {
  it('serves a voucher once, also while the first is running', async () => {
    const pair = await servingPair(network, fake({ tokenDelayMs: 2 }))
    const { payload } = testRequest(network)
    const first = readAnswer(infer(pair, payload))
    await expectRefusal(pair, payload, 'voucher_invalid')
    await first
    await expectRefusal(pair, payload, 'voucher_invalid')
    expect(pair.outbox.entries).toHaveLength(1)
  })

  it('does not take a replay under another request id or salt', async () => {
    const pair = await servingPair(network, fake())
    const { payload, voucher } = testRequest(network)
    await readAnswer(infer(pair, payload))
    const again = testRequest(network, { voucher: { holdId: voucher.holdId } })
    await expectRefusal(pair, again.payload, 'voucher_invalid')
  })
})

describe('serve: faults of the engine', () => {
  it('before the accept is provider_fault in fixed words, and the voucher stays good', async () => {
    let broken = true
    const engine = fake()
    const breaking: Engine = {
      ...engine,
      chat: (request, options) => {
        if (!broken) return engine.chat(request, options)
        const words = request.messages[0]?.content ?? ''
        const failing: EngineStream = {
          next: () => Promise.reject(new Error(`CANARY ${words}`)),
          [Symbol.asyncIterator]: () => failing,
        }
        return failing
      },
    }
    const pair = await servingPair(network, breaking)
    const { payload } = testRequest(network, {
      chat: { messages: [{ role: 'user', content: 'secret words' }] },
    })
    const error = await expectRefusal(pair, payload, 'provider_fault')
    const seen = `${error.message} ${JSON.stringify(error.facts)} ${JSON.stringify(pair.lines)}`
    expect(seen).not.toMatch(/CANARY|secret/)
    expectUntouched(pair)
    broken = false
    await readAnswer(infer(pair, payload))
  })

  it('after tokens is a failed answer with a receipt for what was sent', async () => {
    const fault = (): FakeFault => ({ kind: 'fail', afterTokens: 5 })
    const pair = await servingPair(network, fake({ fault }))
    const { events, terminal } = await readAnswer(infer(pair, testRequest(network).payload))
    expect(terminal).toMatchObject({ finishReason: 'failed', usage: { completionTokens: 5 } })
    expect(idsOf(events)).toHaveLength(5)
    expect(openReceipt(terminal.receipt).receipt).toMatchObject({
      finishReason: 'failed',
      tokenEnd: 5,
    })
    expect(pair.outbox.entries).toHaveLength(1)
    expect(await untilIdle(pair)).toBe(true)
  })

  it('before the first token is provider_fault and costs nothing', async () => {
    const fault = (): FakeFault => ({ kind: 'fail', afterTokens: 0 })
    const pair = await servingPair(network, fake({ fault }))
    await expectRefusal(pair, testRequest(network).payload, 'provider_fault')
    expectUntouched(pair)
  })

  it('never bills more than was asked for or other tokens than were sent', async () => {
    const greedy = scripted(async function* () {
      yield accepted
      yield { kind: 'tokens', ids: [1, 2], text: 'a b' }
      yield { kind: 'tokens', ids: [3, 4], text: 'c d' }
      yield finished(4)
    })
    const greedyPair = await servingPair(network, greedy)
    const three = testRequest(network, { chat: { maxTokens: 3 } })
    const answer = await readAnswer(infer(greedyPair, three.payload))
    expect(answer.terminal).toMatchObject({
      finishReason: 'failed',
      usage: { completionTokens: 2 },
    })

    const miscounting = scripted(async function* () {
      yield accepted
      yield { kind: 'tokens', ids: [1], text: 'a' }
      yield finished(1_000)
    })
    const pair = await servingPair(network, miscounting)
    const { terminal } = await readAnswer(infer(pair, testRequest(network).payload))
    expect(terminal).toMatchObject({ finishReason: 'failed', usage: { completionTokens: 1 } })
  })
})

describe('serve: cancel', () => {
  it('stops the engine within 100 ms and pays for what was sent', async () => {
    const pair = await servingPair(network, fake({ tokenDelayMs: 5, answerTokens: 60 }))
    const call = infer(pair, testRequest(network).payload)
    let cancelledAtMs = 0
    const { events, terminal } = await readAnswer(call, (event) => {
      if (event.kind !== 'tokens' || event.sequence !== 3) return
      cancelledAtMs = performance.now()
      call.cancel()
    })
    expect(performance.now() - cancelledAtMs).toBeLessThan(100)
    expect(terminal.finishReason).toBe('cancelled')
    expect(terminal.usage.completionTokens).toBe(idsOf(events).length)
    expect(terminal.usage.completionTokens).toBeLessThan(60)
    expect(openReceipt(terminal.receipt).receipt.tokenEnd).toBe(idsOf(events).length)
    expect(pair.outbox.entries).toHaveLength(1)
  })

  it('before the first token costs nothing', async () => {
    const pair = await servingPair(network, fake({ prefillDelayMs: 60_000 }))
    const call = infer(pair, testRequest(network).payload)
    const answer = readAnswer(call, () => {
      call.cancel()
    })
    await expect(answer).rejects.toMatchObject({ code: 'cancelled' })
    expect(await untilIdle(pair)).toBe(true)
    expectUntouched(pair)
  })

  it('before the accept costs nothing', async () => {
    const fault = (): FakeFault => ({ kind: 'never-accept' })
    const pair = await servingPair(network, fake({ fault }))
    const call = infer(pair, testRequest(network).payload)
    await vi.waitFor(() => {
      expect(pair.slots.running).toBe(1)
    })
    const answer = readAnswer(call)
    call.cancel()
    await expect(answer).rejects.toMatchObject({ code: 'cancelled' })
    expect(await untilIdle(pair)).toBe(true)
    expectUntouched(pair)
  })

  it('sends and bills nothing that the engine still makes after it', async () => {
    const slow = scripted(async function* (signal) {
      yield accepted
      yield { kind: 'tokens', ids: [1, 2], text: 'a b' }
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve)
      })
      yield { kind: 'tokens', ids: [3], text: ' c' }
      yield finished(3)
    })
    const pair = await servingPair(network, slow)
    const call = infer(pair, testRequest(network).payload)
    const { events, terminal } = await readAnswer(call, (event) => {
      if (event.kind === 'tokens') call.cancel()
    })
    expect(idsOf(events)).toEqual([1, 2])
    expect(terminal).toMatchObject({ finishReason: 'cancelled', usage: { completionTokens: 2 } })
    expect(openReceipt(terminal.receipt).receipt.tokenEnd).toBe(2)
  })

  it('frees the slot of an engine that hears nothing, and pays for what was sent', async () => {
    const deaf = scripted(async function* () {
      yield accepted
      yield { kind: 'tokens', ids: [1, 2], text: 'a b' }
      await new Promise(() => {})
    })
    const pair = await servingPair(network, deaf, { engineStopGraceMs: 50 })
    const call = infer(pair, testRequest(network).payload)
    const { terminal } = await readAnswer(call, (event) => {
      if (event.kind === 'tokens') call.cancel()
    })
    expect(terminal).toMatchObject({ finishReason: 'cancelled', usage: { completionTokens: 2 } })
    expect(await untilIdle(pair)).toBe(true)
    expect(pair.lines).toContainEqual(
      expect.objectContaining({ message: 'engine did not end after an abort' }),
    )
  })
})

describe('serve: a gateway that is gone', () => {
  it('stops the engine and leaves a valid receipt to be claimed', async () => {
    const pair = await servingPair(network, fake({ tokenDelayMs: 5, answerTokens: 60 }))
    const { payload, voucher } = testRequest(network)
    const answer = readAnswer(infer(pair, payload), (event) => {
      if (event.kind === 'tokens' && event.sequence === 3) pair.gateway.close()
    })
    await expect(answer).rejects.toMatchObject({ code: 'session_closed' })
    expect(await untilIdle(pair)).toBe(true)
    const [entry] = pair.outbox.entries
    expect(entry).toMatchObject({ holdId: voucher.holdId, gatewayLost: true })
    const { receipt, signedBy } = openReceipt(entry?.receipt ?? new Uint8Array())
    expect(signedBy).toBe(network.provider.peerId)
    expect(receipt.finishReason).toBe('cancelled')
    expect(receipt.tokenEnd).toBeGreaterThanOrEqual(4)
    expect(receipt.tokenEnd).toBeLessThan(60)
    expect(receipt.usage.completionTokens).toBe(receipt.tokenEnd)
  })

  it('claims nothing where nothing was delivered', async () => {
    const pair = await servingPair(network, fake({ prefillDelayMs: 60_000 }))
    const answer = readAnswer(infer(pair, testRequest(network).payload), () => {
      pair.gateway.close()
    })
    await expect(answer).rejects.toMatchObject({ code: 'session_closed' })
    expect(await untilIdle(pair)).toBe(true)
    expectUntouched(pair)
  })
})
