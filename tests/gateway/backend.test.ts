import { LexoraError, type PriceList } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import { createBackend } from '../../gateway/src/backend.ts'
import type { DispatchEvent, Dispatcher } from '../../gateway/src/dispatch/dispatcher.ts'
import type { ChatCall, GatewayBackend } from '../../gateway/src/http/backend.ts'
import { createDirectory, type Directory } from '../../gateway/src/routing/directory.ts'
import { chat } from './dispatch/support.ts'
import { codeOf, idleSession, offer, record, type TestClock, testClock } from './fixture.ts'
import { ScriptedLedger } from './scripted-ledger.ts'

interface Setting {
  backend: GatewayBackend
  directory: Directory
  ledger: ScriptedLedger
  clock: TestClock
  prices: { list: PriceList | undefined }
  /** What the dispatcher was asked. */
  asked: { signal: AbortSignal }[]
}

type Run = (emit: (event: DispatchEvent) => void, signal: AbortSignal) => Promise<void>

function setting(run: Run = () => Promise.resolve()): Setting {
  const clock = testClock()
  const directory = createDirectory({ clock })
  const ledger = new ScriptedLedger('gateway')
  const prices: Setting['prices'] = { list: undefined }
  const asked: Setting['asked'] = []
  const dispatcher: Dispatcher = {
    runningCount: 0,
    revokeKeys: () => {},
    run(_request, signal, emit) {
      asked.push({ signal })
      return run(emit, signal)
    },
  }
  const backend = createBackend({
    ledger,
    dispatcher,
    directory,
    prices: () => prices.list,
    hasCertificate: () => false,
    clock,
  })
  return { backend, directory, ledger, clock, prices, asked }
}

const call: ChatCall = {
  requestId: 'req_1',
  apiKeyHash: new Uint8Array(32),
  request: chat(),
  stream: true,
}

const tokens: DispatchEvent = { kind: 'tokens', ids: [1], text: 'a' }

function prices(...models: string[]): PriceList {
  return {
    version: 1,
    effectiveAtMs: 0,
    feeBasisPoints: 0,
    models: models.map((model) => ({
      model,
      inputNanoUsd: 1n,
      cachedInputNanoUsd: 1n,
      outputNanoUsd: 1n,
    })),
  }
}

describe('models()', () => {
  it('are those that somebody serves and the price list sells', () => {
    const { backend, directory, prices: book, clock } = setting()
    const models = [offer({ id: 'both' }), offer({ id: 'unpriced' })]
    directory.add(idleSession('a'), record('a', { models }), undefined)
    expect(backend.models()).toEqual([])
    book.list = prices('both', 'unserved')
    const firstSeenMs = clock()
    expect(backend.models()).toEqual([
      {
        id: 'both',
        createdAtMs: firstSeenMs,
        contextTokens: 512,
        quantisation: 'Q8_0',
        providers: 1,
        price: book.list.models[0],
      },
    ])
    clock.advance(5_000)
    directory.add(idleSession('b'), record('b', { models }), undefined)
    expect(backend.models()).toMatchObject([{ createdAtMs: firstSeenMs, providers: 2 }])
    directory.forget('a')
    directory.forget('b')
    expect(backend.models()).toEqual([])
  })
})

describe('chat()', () => {
  it('hands the dispatcher’s events on and ends with it', async () => {
    const { backend } = setting(async (emit) => {
      emit({ kind: 'accepted', promptTokens: 1, provider: 'p' })
      emit(tokens)
    })
    const kinds: string[] = []
    for await (const event of backend.chat(call, new AbortController().signal)) {
      kinds.push(event.kind)
    }
    expect(kinds).toEqual(['accepted', 'tokens'])
  })

  it('fails as the dispatcher does, after what came before', async () => {
    const { backend } = setting(async (emit) => {
      emit(tokens)
      throw new LexoraError('provider_lost', 'gone')
    })
    const events = backend.chat(call, new AbortController().signal)[Symbol.asyncIterator]()
    expect(await events.next()).toMatchObject({ value: tokens })
    expect(await codeOf(events.next())).toBe('provider_lost')
  })

  it('tells the dispatcher when the client goes away, by its signal or by not reading on', async () => {
    const untilAborted: Run = (emit, signal) => {
      emit(tokens)
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
    const { backend, asked } = setting(untilAborted)
    const client = new AbortController()
    const reading = (async () => {
      for await (const _event of backend.chat(call, client.signal)) client.abort()
    })()
    // An end without a word would be logged as a fault of this gateway.
    expect(await codeOf(reading)).toBe('cancelled')
    for await (const _event of backend.chat(call, new AbortController().signal)) break
    const unread = backend.chat(call, new AbortController().signal)[Symbol.asyncIterator]()
    await unread.return?.()
    expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, true, true])
  })
})

describe('key()', () => {
  it('tells what the ledger knows', async () => {
    const { backend, ledger } = setting()
    ledger.keyInfoAnswer = {
      accountRef: 'acc',
      keyId: 'key',
      label: 'laptop',
      promoNanoUsd: 1n,
      paidNanoUsd: 2n,
      heldNanoUsd: 3n,
      availableNanoUsd: 0n,
      requests: 4,
      promptTokens: 5,
      completionTokens: 6,
      spentNanoUsd: 7n,
    }
    expect(await backend.key(new Uint8Array(32))).toEqual({
      label: 'laptop',
      accountRef: 'acc',
      balance: { promo: 1n, paid: 2n, held: 3n, available: 0n },
      spent: 7n,
    })
  })

  it('puts refusals into the client’s terms', async () => {
    const { backend, ledger } = setting()
    await expect(backend.key(new Uint8Array(32))).rejects.toMatchObject({
      code: 'invalid_api_key',
      message: expect.stringContaining('The API key is not valid') as string,
    })
    ledger.goAway()
    expect(await codeOf(backend.key(new Uint8Array(32)))).toBe('ledger_unavailable')
  })
})

describe('ready()', () => {
  it('names what is missing', () => {
    const { backend, ledger, prices: book } = setting()
    ledger.isConnected = false
    const failing = () => backend.ready().checks.filter(({ ok }) => !ok)
    expect(failing().map(({ name }) => name)).toEqual(['ledger', 'certificate', 'prices'])
    ledger.isConnected = true
    book.list = prices()
    expect(failing().map(({ name }) => name)).toEqual(['certificate'])
    expect(backend.ready().ready).toBe(false)
  })
})
