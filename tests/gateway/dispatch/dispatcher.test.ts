import { LexoraError, MAX_TOKENS_MAX, promptTokensBound } from '@lexora/protocol'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MODEL, offer, until } from '../fixture.ts'
import { chat, hangs, refuses, says, setting } from './support.ts'

afterEach(() => {
  vi.useRealTimers()
})

/** Timers and their clock stand still until the test moves them; sessions over memory need neither. */
function stopTimers(): void {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
  })
}

const busy = new LexoraError('provider_busy', 'full')

describe('one request', () => {
  it('tells its client in order and settles with the provider’s receipt', async () => {
    const { provider, run, ledger, settlements, gateway } = await setting()
    const far = await provider(says('Hel', 'lo'))
    const { events, ended } = run()
    expect(await ended).toBeUndefined()
    expect(events).toEqual([
      { kind: 'accepted', promptTokens: 7, provider: far.peerId },
      { kind: 'tokens', ids: [1], text: 'Hel' },
      { kind: 'tokens', ids: [1], text: 'lo' },
      {
        kind: 'finished',
        reason: 'stop',
        usage: { promptTokens: 7, cachedTokens: 2, completionTokens: 2 },
      },
    ])
    await settlements.idle()
    expect(ledger.settled.get('hold-1')).toMatchObject({
      signedByProvider: true,
      signedByGateway: true,
      receipt: {
        provider: far.peerId,
        gateway: gateway.peerId,
        finishReason: 'stop',
        priceVersion: 3,
        usage: { completionTokens: 2 },
      },
    })
    expect(ledger.voided).toEqual([])
  })

  it('asks for a hold of the worst case, bounded by the largest context', async () => {
    const { provider, run, ledger } = await setting()
    await provider(says('a'))
    await run({ chat: { maxTokens: 100_000 } }).ended
    expect(ledger.authorised).toMatchObject([
      { model: MODEL, maxTokens: 512, promptTokensMax: promptTokensBound(chat()) },
    ])
    await run({ chat: { maxTokens: 5 } }).ended
    expect(ledger.authorised[1]).toMatchObject({ maxTokens: 5 })
  })

  it('asks for no more output than a request can name where nobody says how much fits', async () => {
    const { run, ledger } = await setting()
    await run({ chat: { maxTokens: 2 ** 31 - 1 } }).ended
    expect(ledger.authorised).toMatchObject([{ maxTokens: MAX_TOKENS_MAX }])
  })

  it('tells the provider the same bounds as the ledger', async () => {
    const { provider, run } = await setting()
    const far = await provider(says('a'))
    await run({ chat: { maxTokens: 100_000 } }).ended
    expect(far.turns[0]?.request.chat.maxTokens).toBe(512)
  })

  it('of no tokens at all is finished, and its hold released instead of settled', async () => {
    const { provider, run, ledger } = await setting()
    await provider(says())
    const { events, ended } = run()
    expect(await ended).toBeUndefined()
    expect(events.map(({ kind }) => kind)).toEqual(['accepted', 'finished'])
    expect(ledger.voided).toEqual(['hold-1'])
    expect(ledger.settleCalls).toBe(0)
  })

  it('counts as running until it is over', async () => {
    const { provider, run, dispatcher, directory } = await setting()
    let finish = (): void => {}
    await provider(async (turn) => {
      turn.accept()
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      return turn.end()
    })
    const { events, ended } = run()
    await expect.poll(() => events.length).toBe(1)
    expect(dispatcher.runningCount).toBe(1)
    expect(directory.candidates(MODEL)[0]?.inFlight).toBe(1)
    finish()
    await ended
    expect(dispatcher.runningCount).toBe(0)
    expect(directory.candidates(MODEL)[0]?.inFlight).toBe(0)
  })

  it('of 200 at once, each keeps its own tokens, hold and receipt', async () => {
    const { provider, run, ledger, settlements } = await setting()
    const script = async (turn: Parameters<ReturnType<typeof says>>[0]) => {
      turn.accept()
      const word = turn.request.chat.messages[0]?.content ?? ''
      for (const letter of word) {
        turn.tokens(letter)
        await new Promise((resolve) => setImmediate(resolve))
      }
      return turn.end()
    }
    for (let index = 0; index < 5; index++) await provider(script)
    const words = Array.from({ length: 200 }, (_, index) => `${index}`.repeat(1 + (index % 4)))
    const runs = words.map((content) => run({ chat: { messages: [{ role: 'user', content }] } }))
    const errors = await Promise.all(runs.map(({ ended }) => ended))
    expect(errors.filter((error) => error !== undefined)).toEqual([])
    expect(runs.map(({ text }) => text())).toEqual(words)
    await settlements.idle()
    expect(ledger.settled.size).toBe(200)
    expect(ledger.open.size).toBe(0)
    const paid = [...ledger.settled.values()]
      .map(({ receipt }) => receipt.usage.completionTokens)
      .reduce((sum, count) => sum + count, 0)
    expect(paid).toBe(words.join('').length)
    expect(new Set([...ledger.settled.values()].map(({ receipt }) => receipt.provider)).size).toBe(
      5,
    )
  })
})

describe('before the first token', () => {
  it.each<[string, LexoraError]>([
    ['busy', busy],
    ['draining', new LexoraError('provider_draining', '')],
    ['without the model', new LexoraError('model_not_found', '')],
    ['broken', new LexoraError('provider_fault', '')],
    ['distrustful', new LexoraError('voucher_invalid', '')],
    ['out of disk', new LexoraError('storage_full', '')],
    ['speaking in riddles', new LexoraError('conflict', '')],
  ])('a provider that is %s is replaced, unseen by the client', async (_name, error) => {
    const { provider, run, ledger, settlements } = await setting()
    const first = await provider(refuses(error))
    const second = await provider(says('ok'))
    const { events, ended } = run()
    expect(await ended).toBeUndefined()
    expect(first.turns.length).toBe(1)
    expect(events[0]).toMatchObject({ kind: 'accepted', provider: second.peerId })
    expect(events.map(({ kind }) => kind)).toEqual(['accepted', 'tokens', 'finished'])
    await settlements.idle()
    expect(ledger.authorised.length).toBe(1)
    expect([...ledger.settled.keys()]).toEqual(['hold-1'])
  })

  it('one that dies after it accepted is replaced', async () => {
    const { provider, run, directory } = await setting()
    const first = await provider((turn) => {
      turn.accept()
      return hangs()
    })
    await provider(says('ok'))
    const { text, events, ended } = run({ onEvent: () => first.die() })
    expect(await ended).toBeUndefined()
    expect(text()).toBe('ok')
    expect(events.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'tokens', 'finished'])
    expect(directory.has(first.peerId)).toBe(false)
  })

  it('one that does not answer in time is cancelled and replaced', async () => {
    stopTimers()
    const { provider, run } = await setting()
    const first = await provider(hangs)
    await provider(says('ok'))
    const { text, ended } = run()
    await until(() => first.turns.length === 1)
    await vi.advanceTimersByTimeAsync(9_999)
    expect(first.turns[0]?.context.signal.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await ended).toBeUndefined()
    expect(text()).toBe('ok')
    await first.turns[0]?.aborted()
  })

  it('three are asked and no more', async () => {
    const { provider, run, ledger } = await setting()
    const asked = [
      await provider(refuses(new LexoraError('provider_fault', ''))),
      await provider(refuses(busy)),
      await provider(refuses(busy)),
      await provider(says('never')),
    ]
    const error = await run().ended
    expect(error).toMatchObject({
      code: 'provider_busy',
      message: `every provider of ${MODEL} is busy now; try again soon`,
    })
    expect(asked.map(({ turns }) => turns.length)).toEqual([1, 1, 1, 0])
    expect(ledger.voided).toEqual(['hold-1'])
  })

  it.each(['invalid_request', 'unsupported_parameter', 'request_too_large'] as const)(
    'a client’s own error (%s) is not tried elsewhere and blames nobody',
    async (code) => {
      const { provider, run, ledger, directory } = await setting()
      const facts = { param: 'SECRET', promptTokens: 'SECRET', other: 'SECRET' }
      await provider(refuses(new LexoraError(code, 'SECRET', { facts })))
      const second = await provider(says('never'))
      const error = await run().ended
      expect(error?.code).toBe(code)
      expect(second.turns.length).toBe(0)
      expect(ledger.voided).toEqual(['hold-1'])
      expect(directory.candidates(MODEL).every(({ restUntilMs }) => restUntilMs === 0)).toBe(true)
      expect(JSON.stringify([error?.message, error?.facts])).not.toContain('SECRET')
      expect(error?.message).not.toContain('peer')
    },
  )

  it('a prompt beyond the context is told with both counts', async () => {
    const { provider, run } = await setting()
    const facts = { promptTokens: 700, contextTokens: 512 }
    await provider(refuses(new LexoraError('context_length_exceeded', '', { facts })))
    const content = 'x'.repeat(700)
    const error = await run({ chat: { messages: [{ role: 'user', content }] } }).ended
    expect(error).toMatchObject({
      code: 'context_length_exceeded',
      facts,
      message:
        'The model’s context holds 512 tokens, but the messages alone are 700. Send fewer or shorter messages.',
    })
  })

  it('a provider that calls a short prompt too long is not believed', async () => {
    const { provider, run, directory } = await setting()
    const liar = await provider(refuses(new LexoraError('context_length_exceeded', '')))
    await provider(says('ok'))
    const { text, ended } = run()
    expect(await ended).toBeUndefined()
    expect(text()).toBe('ok')
    const rest = directory.candidates(MODEL).find(({ peerId }) => peerId === liar.peerId)
    expect(rest?.restUntilMs).toBeGreaterThan(0)
  })

  it('nobody serves the model: no_provider, and the hold is released', async () => {
    const { run, ledger } = await setting()
    expect(await run().ended).toMatchObject({ code: 'no_provider' })
    expect(ledger.voided).toEqual(['hold-1'])
  })

  it('a provider whose session closed but is not gone from the directory yet is passed over', async () => {
    const { provider, run } = await setting()
    const first = await provider(says('never'))
    await provider(says('ok'))
    Object.defineProperty(first.near, 'isOpen', { value: false })
    const { text, ended } = run()
    expect(await ended).toBeUndefined()
    expect(text()).toBe('ok')
  })
})

describe('who is asked next', () => {
  it('one that failed rests, longer each time, and an answer ends that', async () => {
    const { provider, run, directory, clock } = await setting()
    const first = await provider(refuses(new LexoraError('provider_fault', '')))
    const second = await provider(says('ok'))
    second.fill(directory)
    const restMs = () => {
      const own = directory.candidates(MODEL).find(({ peerId }) => peerId === first.peerId)
      return Math.max(0, (own?.restUntilMs ?? 0) - clock())
    }
    await run().ended
    expect(restMs()).toBe(1_000)
    await run().ended
    expect(first.turns.length).toBe(1)
    clock.advance(1_000)
    await run().ended
    expect(first.turns.length).toBe(2)
    expect(restMs()).toBe(2_000)
    clock.advance(2_000)
    first.script = says('better')
    await run().ended
    expect(restMs()).toBe(0)
    expect(second.turns.length).toBe(3)
  })

  it('one that refuses for want of room is passed over for a moment, not for a fault', async () => {
    const { provider, run, directory, clock } = await setting()
    const first = await provider(refuses(busy))
    const second = await provider(says('ok'))
    second.fill(directory)
    await run().ended
    await run().ended
    expect(first.turns.length).toBe(1)
    expect(directory.candidates(MODEL)).toMatchObject([{ restUntilMs: 0 }, {}])
    clock.advance(250)
    await run().ended
    expect(first.turns.length).toBe(2)
  })

  it('tries one that was never asked now and then, although a faster one is known', async () => {
    let draw = 0
    const { provider, run } = await setting(() => draw)
    const [known, newcomer] = [await provider(says('a', 'b')), await provider(says('a', 'b'))]
    await run().ended
    await run().ended
    expect([known.turns.length, newcomer.turns.length]).toEqual([2, 0])
    draw = 0.99
    await run().ended
    expect([known.turns.length, newcomer.turns.length]).toEqual([2, 1])
  })

  it('learns speeds from what arrived here', async () => {
    const { provider, run, directory } = await setting()
    await provider(says('a', 'b', 'c'))
    await run().ended
    const [seen] = directory.candidates(MODEL)
    expect(seen?.decodeTokensPerSecond).not.toBe(500)
    expect(seen?.prefillTokensPerSecond).toBeGreaterThan(0)
  })
})

describe('the ledger', () => {
  it('away: ledger_unavailable, and nobody is asked', async () => {
    const { provider, run, ledger, dispatcher } = await setting()
    const far = await provider(says('never'))
    ledger.goAway()
    const error = await run().ended
    expect(error).toMatchObject({ code: 'ledger_unavailable' })
    expect(error?.message).toContain('Nothing was charged')
    expect(far.turns.length).toBe(0)
    expect(dispatcher.runningCount).toBe(0)
  })

  it.each([
    'invalid_api_key',
    'api_key_revoked',
    'api_key_expired',
    'account_suspended',
    'insufficient_credit',
    'credit_reserved',
    'model_not_found',
    'storage_full',
  ] as const)('refusing with %s: the client is told, nobody is asked', async (code) => {
    const { provider, run, ledger } = await setting()
    const far = await provider(says('never'))
    ledger.authoriseFailure = new LexoraError(code, 'the peer answered something')
    const error = await run().ended
    expect(error?.code).toBe(code)
    expect(error?.message).not.toContain('peer')
    expect(far.turns.length).toBe(0)
    expect(ledger.voided).toEqual([])
  })

  it('lost between hold and settlement: the answer ends well, the receipt waits and is settled', async () => {
    const { provider, run, ledger, settlements } = await setting()
    await provider((turn) => {
      turn.accept()
      turn.tokens('a')
      ledger.goAway()
      return turn.end()
    })
    const { text, ended } = run()
    expect(await ended).toBeUndefined()
    expect(text()).toBe('a')
    expect(settlements.pendingCount).toBe(1)
    await expect.poll(() => ledger.settleCalls).toBeGreaterThan(0)
    expect(ledger.settled.size).toBe(0)
    ledger.comeBack()
    await settlements.idle()
    expect([...ledger.settled.keys()]).toEqual(['hold-1'])
  })

  it('away when a hold is to be released: the error stays the client’s own', async () => {
    const { provider, run, ledger, logged } = await setting()
    await provider(() => {
      ledger.goAway()
      throw new LexoraError('provider_fault', '')
    })
    expect(await run().ended).toMatchObject({ code: 'no_provider' })
    await expect
      .poll(() => logged.lines.map(({ msg }) => msg))
      .toContain('a hold could not be released; it expires by its lease')
  })

  it('never sees a request that is too large to be sent, or releases its hold', async () => {
    const { provider, run, ledger } = await setting()
    const far = await provider(says('never'))
    const content = 'x'.repeat(1_300_000)
    const error = await run({ chat: { messages: [{ role: 'user', content }] } }).ended
    expect(error).toBeInstanceOf(LexoraError)
    expect(far.turns.length).toBe(0)
    expect(ledger.open.size).toBe(0)
  })

  it('is asked to renew a hold while its request runs, and not after', async () => {
    const { provider, run, ledger } = await setting()
    await provider(says('ok'))
    await run().ended
    expect(ledger.renewals).toEqual([])
  })
})

describe('logs', () => {
  it('hold neither prompt nor output nor a peer’s text', async () => {
    const { provider, run, logged } = await setting()
    await provider(refuses(new LexoraError('provider_fault', 'CANARY-peer')))
    await provider((turn) => {
      turn.accept()
      turn.tokens('CANARY-output')
      throw new LexoraError('conflict', 'CANARY-peer', { facts: { word: 'CANARY-fact' } })
    })
    const content = 'CANARY-prompt'
    await run({ chat: { messages: [{ role: 'user', content }] } }).ended
    expect(logged.lines.length).toBeGreaterThan(0)
    expect(JSON.stringify(logged.lines)).not.toContain('CANARY')
  })
})

describe('offers', () => {
  it('bind the receipt to the model file that the provider offers', async () => {
    const { provider, run, ledger, settlements } = await setting()
    const models = [offer({ fileSha256: new Uint8Array(32).fill(9) })]
    const far = await provider(says('a'), { models })
    expect(await run().ended).toMatchObject({ code: 'provider_fault' })
    await settlements.idle()
    const settled = ledger.settled.get('hold-1')
    expect(settled).toMatchObject({ signedByProvider: false, signedByGateway: true })
    expect(settled?.receipt).toMatchObject({ provider: far.peerId, finishReason: 'failed' })
  })
})
