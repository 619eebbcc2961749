import {
  type FinishReason,
  LexoraError,
  openReceipt,
  sealReceipt,
  signedEnvelopeCodec,
} from '@lexora/protocol'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MODEL, newSigner, until } from '../fixture.ts'
import { hangs, type Lies, type Script, type Setting, says, setting, type Turn } from './support.ts'

afterEach(() => {
  vi.useRealTimers()
})

/** What a request at one provider came to. */
interface Outcome {
  code: string | undefined
  text: string
  /** What the ledger captured the hold for; undefined where it captured nothing. */
  settled: { tokens: number; reason: FinishReason; signedByProvider: boolean } | undefined
  voided: boolean
  rests: boolean
}

async function outcomeOf(script: Script, given?: Setting): Promise<Outcome> {
  const { provider, run, ledger, settlements, directory } = given ?? (await setting())
  const far = await provider(script)
  const { text, ended } = run()
  const error = await ended
  await settlements.idle()
  const settled = ledger.settled.get('hold-1')
  const seen = directory.candidates(MODEL).find(({ peerId }) => peerId === far.peerId)
  return {
    code: error?.code,
    text: text(),
    settled: settled && {
      tokens: settled.receipt.usage.completionTokens,
      reason: settled.receipt.finishReason,
      signedByProvider: settled.signedByProvider,
    },
    voided: ledger.voided.includes('hold-1'),
    rests: (seen?.restUntilMs ?? 0) > 0,
  }
}

const attested = (tokens: number) => ({ tokens, reason: 'failed', signedByProvider: false })

/** Lets what was sent so far arrive before something else happens. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a provider that is lost after the first token', () => {
  it.each([1, 2, 5])('after %i tokens: exactly those are attested and paid', async (count) => {
    const given = await setting()
    const { provider, run, ledger, settlements, directory, gateway } = given
    const far = await provider(async (turn) => {
      turn.accept()
      for (let index = 0; index < count; index++) turn.tokens('x')
      return hangs()
    })
    const never = await provider(says('never'))
    const { events, text, ended } = run({
      onEvent: () => {
        if (events.length === count + 1) far.die()
      },
    })
    expect(await ended).toMatchObject({ code: 'provider_lost' })
    expect(text()).toBe('x'.repeat(count))
    expect(never.turns.length).toBe(0)
    await settlements.idle()
    const settled = ledger.settled.get('hold-1')
    expect(settled).toMatchObject({
      signedByProvider: false,
      signedByGateway: true,
      receipt: {
        provider: far.peerId,
        gateway: gateway.peerId,
        tokenStart: 0,
        tokenEnd: count,
        usage: { promptTokens: 7, cachedTokens: 2, completionTokens: count },
        finishReason: 'failed',
      },
    })
    const requestId = far.turns[0]?.request.requestId ?? new Uint8Array(0)
    expect(Buffer.compare(settled?.receipt.requestId ?? new Uint8Array(1), requestId)).toBe(0)
    expect(directory.has(far.peerId)).toBe(false)
  })

  it('rests when it comes back: dialling in again is no clean slate', async () => {
    const { provider, run, directory } = await setting()
    const far = await provider((turn) => {
      turn.accept()
      turn.tokens('x')
      return hangs()
    })
    const own = directory.get(far.peerId)?.record
    await run({ onEvent: ({ kind }) => void (kind === 'tokens' && far.die()) }).ended
    if (own !== undefined) directory.add(await far.connect(), own, undefined)
    expect(directory.candidates(MODEL)[0]?.restUntilMs).toBeGreaterThan(0)
  })

  it('by silence: its time is up, it is told to stop, and what came is paid', async () => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    })
    const { provider, run, ledger } = await setting()
    const far = await provider((turn) => {
      turn.accept()
      turn.tokens('x')
      return hangs()
    })
    const { text, ended } = run()
    await until(() => text() === 'x')
    await vi.advanceTimersByTimeAsync(19_000)
    expect(far.turns[0]?.context.signal.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await ended).toMatchObject({ code: 'provider_lost' })
    await far.turns[0]?.aborted()
    await until(() => ledger.settled.size === 1)
    expect(ledger.settled.get('hold-1')?.receipt.usage.completionTokens).toBe(1)
  })

  it('by an error of its own: not a client’s error, whatever it calls itself', async () => {
    for (const code of ['invalid_request', 'provider_busy', 'internal', 'cancelled'] as const) {
      const outcome = await outcomeOf(async (turn) => {
        turn.accept()
        turn.tokens('x')
        await turns()
        throw new LexoraError(code, 'SECRET')
      })
      expect(outcome, code).toMatchObject({ text: 'x', settled: attested(1), rests: true })
      expect(['provider_fault', 'provider_lost'], code).toContain(outcome.code)
    }
  })
})

describe('a provider that lies at the end', () => {
  const foreign = newSigner()
  const usage = { promptTokens: 7, cachedTokens: 2, completionTokens: 3 }
  it.each<[string, Lies]>([
    ['more tokens in the frame', { terminal: { usage: { completionTokens: 3 } } }],
    ['more prompt tokens in the frame', { terminal: { usage: { promptTokens: 8 } } }],
    ['more tokens in the receipt', { receipt: { tokenEnd: 3, usage } }],
    ['tokens from elsewhere', { receipt: { tokenStart: 1, tokenEnd: 3 } }],
    [
      'fewer cached tokens',
      { receipt: { usage: { ...usage, completionTokens: 2, cachedTokens: 0 } } },
    ],
    ['a foreign signature', { signer: foreign }],
    ['a foreign provider', { receipt: { provider: foreign.peerId } }],
    [
      'a foreign provider with its signature',
      { signer: foreign, receipt: { provider: foreign.peerId } },
    ],
    ['another hold', { receipt: { holdId: 'hold-2' } }],
    ['another request', { receipt: { requestId: new Uint8Array(16) } }],
    ['another prompt', { receipt: { requestHash: new Uint8Array(32) } }],
    ['another model', { receipt: { model: 'other/model' } }],
    ['another file', { receipt: { modelSha256: new Uint8Array(32) } }],
    ['another gateway', { receipt: { gateway: foreign.peerId } }],
    ['another price', { receipt: { priceVersion: 4 } }],
    ['another ending in the receipt', { receipt: { finishReason: 'failed' } }],
    ['another ending in the frame', { terminal: { finishReason: 'length' } }],
    ['a receipt that is no receipt', { sealed: () => new Uint8Array([1, 2, 3]) }],
    ['no receipt', { sealed: () => new Uint8Array(0) }],
    [
      'a broken signature',
      {
        sealed(bytes) {
          const envelope = signedEnvelopeCodec.decode(bytes)
          return signedEnvelopeCodec.encode({ ...envelope, signature: new Uint8Array(64) })
        },
      },
    ],
    [
      // An unknown field is skipped by every reader, but the signed bytes would not fit the ledger's message.
      'a receipt that is blown up',
      { sealed: (bytes) => Buffer.concat([bytes, unknownField(8_000)]) },
    ],
  ])('%s: provider_fault, it rests, and what was counted is paid', async (_name, lies) => {
    const outcome = await outcomeOf((turn) => {
      turn.accept()
      turn.tokens('a')
      turn.tokens('b')
      return turn.end('stop', lies)
    })
    expect(outcome).toEqual({
      code: 'provider_fault',
      text: 'ab',
      settled: attested(2),
      voided: false,
      rests: true,
    })
  })

  it('says that it was cancelled when nobody asked', async () => {
    const outcome = await outcomeOf((turn) => {
      turn.accept()
      turn.tokens('a')
      return turn.end('cancelled')
    })
    expect(outcome).toMatchObject({ code: 'provider_fault', settled: attested(1), rests: true })
  })

  it('says that its engine failed: believed, paid by its own receipt, and it rests', async () => {
    const outcome = await outcomeOf((turn) => {
      turn.accept()
      turn.tokens('a')
      return turn.end('failed')
    })
    expect(outcome).toMatchObject({
      code: 'provider_fault',
      settled: { tokens: 1, reason: 'failed', signedByProvider: true },
      rests: true,
    })
  })
})

/** For scripts of one line: what was done first, then the answer. */
function after(_done: void, answer: Uint8Array): Uint8Array {
  return answer
}

/** A length-delimited protobuf field with a number that no message of ours has. */
function unknownField(length: number): Uint8Array {
  const tag = (1_000 << 3) | 2
  const head = [(tag & 0x7f) | 0x80, tag >> 7, (length & 0x7f) | 0x80, length >> 7]
  return Buffer.concat([Uint8Array.from(head), new Uint8Array(length)])
}

describe('a provider that lies on the way', () => {
  it.each<[string, (turn: Turn) => void, { text: string; tokens: number }]>([
    ['a gap in its tokens', (turn) => turn.tokens('c', [1], 3), { text: 'ab', tokens: 2 }],
    ['a token twice', (turn) => turn.tokens('b', [1], 1), { text: 'ab', tokens: 2 }],
    ['a second accept', (turn) => turn.accept(), { text: 'ab', tokens: 2 }],
    [
      'more tokens than were asked for',
      (turn) =>
        turn.tokens(
          'c',
          Array.from({ length: 15 }, () => 1),
        ),
      { text: 'ab', tokens: 2 },
    ],
    [
      'a frame that cannot be read',
      (turn) => turn.context.send(new Uint8Array([255, 255, 255])),
      { text: 'ab', tokens: 2 },
    ],
    [
      'a frame that is larger than frames may be',
      (turn) => turn.tokens('c'.repeat(60_000).concat('d'.repeat(6_000))),
      { text: 'ab', tokens: 2 },
    ],
  ])('%s: provider_fault, it rests, and what was counted is paid', async (_name, lie, expected) => {
    const outcome = await outcomeOf(async (turn) => {
      turn.accept()
      turn.tokens('a')
      turn.tokens('b')
      try {
        lie(turn)
      } catch {
        // The codec of an honest build refuses to write it; a dishonest one has its own.
        turn.context.send(new Uint8Array(66_000))
      }
      return turn.end()
    })
    expect(outcome).toEqual({
      code: 'provider_fault',
      text: expected.text,
      settled: attested(expected.tokens),
      voided: false,
      rests: true,
    })
  })

  it('an answer of more bytes than its tokens can have is cut off', async () => {
    const outcome = await outcomeOf(async (turn) => {
      turn.accept()
      for (let index = 0; index < 4; index++) turn.tokens('x'.repeat(50_000))
      await turns()
      return turn.end()
    })
    // 128 KiB and 256 bytes for each of 16 tokens leave room for two such frames.
    expect(outcome).toMatchObject({ code: 'provider_fault', settled: attested(2), rests: true })
    expect(outcome.text.length).toBe(100_000)
  })

  it.each<[string, Script]>([
    ['tokens before it accepted', (turn) => after(turn.tokens('x'), turn.end())],
    ['the end before it accepted', (turn) => turn.end()],
    [
      'text that no token stands for',
      (turn) => {
        turn.accept()
        turn.tokens('x', [])
        return turn.end()
      },
    ],
    ['more prompt tokens than it has bytes', (turn) => after(turn.accept(10_000), turn.end())],
    ['a failure before its first token', (turn) => after(turn.accept(), turn.end('failed'))],
    ['a cancellation of its own', (turn) => after(turn.accept(), turn.end('cancelled'))],
    [
      'a false receipt for nothing',
      (turn) => after(turn.accept(), turn.end('stop', { receipt: { holdId: 'x' } })),
    ],
  ])('%s, before anything was delivered: another is asked', async (_name, script) => {
    const given = await setting()
    const liar = await given.provider(script)
    const honest = await given.provider(says('ok'))
    const { text, ended } = given.run()
    expect(await ended).toBeUndefined()
    expect(text()).toBe('ok')
    expect(honest.turns.length).toBe(1)
    await given.settlements.idle()
    expect(given.ledger.settled.get('hold-1')?.receipt.provider).toBe(honest.peerId)
    const seen = given.directory.candidates(MODEL).find(({ peerId }) => peerId === liar.peerId)
    expect(seen?.restUntilMs).toBeGreaterThan(0)
  })

  it('and nobody else is there: nothing is paid', async () => {
    const outcome = await outcomeOf((turn) => {
      turn.tokens('x')
      return turn.end()
    })
    expect(outcome).toEqual({
      code: 'no_provider',
      text: '',
      settled: undefined,
      voided: true,
      rests: true,
    })
  })

  it('a part of a character, an id without text, is a token all the same', async () => {
    const outcome = await outcomeOf((turn) => {
      turn.accept()
      turn.tokens('', [200])
      turn.tokens('é', [201])
      return turn.end()
    })
    expect(outcome).toMatchObject({ code: undefined, text: 'é', rests: false })
    expect(outcome.settled).toEqual({ tokens: 2, reason: 'stop', signedByProvider: true })
  })
})

describe('an answer that the client gets whole', () => {
  const lost = async (turn: Turn): Promise<Uint8Array> => {
    turn.accept()
    turn.tokens('half an')
    await turns()
    throw new LexoraError('internal', '')
  }

  it('is asked of another provider where one breaks off in the middle', async () => {
    const { provider, run, ledger, settlements, directory } = await setting()
    const first = await provider(lost)
    const second = await provider(says('a', ' whole', ' answer'))
    const { events, ended } = run({ stream: false })
    expect(await ended).toBeUndefined()
    expect(events.map(({ kind }) => kind)).toEqual([
      'accepted',
      'tokens',
      'accepted',
      'tokens',
      'tokens',
      'tokens',
      'finished',
    ])
    await settlements.idle()
    expect(ledger.settled.get('hold-1')?.receipt).toMatchObject({
      provider: second.peerId,
      usage: { completionTokens: 3 },
    })
    const rests = directory.candidates(MODEL).filter(({ restUntilMs }) => restUntilMs > 0)
    expect(rests.map(({ peerId }) => peerId)).toEqual([first.peerId])
  })

  it.each([
    ['breaks off', lost],
    [
      'says that its engine failed',
      (turn: Turn) => {
        turn.accept()
        turn.tokens('half an')
        return turn.end('failed')
      },
    ],
  ])('costs nothing where nobody is left to ask when one %s', async (_how, script) => {
    const { provider, run, ledger } = await setting()
    await provider(script)
    expect(await run({ stream: false }).ended).toMatchObject({ code: 'no_provider' })
    expect(ledger.voided).toEqual(['hold-1'])
    expect(ledger.settled.size).toBe(0)
  })
})

describe('a client that goes away', () => {
  it('before it asked: the ledger is not bothered', async () => {
    const { provider, run, ledger } = await setting()
    const far = await provider(says('never'))
    expect(await run({ signal: AbortSignal.abort() }).ended).toMatchObject({ code: 'cancelled' })
    expect(ledger.authorised).toEqual([])
    expect(far.turns.length).toBe(0)
  })

  it('while the hold is placed: nobody is asked, and the hold is released', async () => {
    const { provider, run, ledger } = await setting()
    const far = await provider(says('never'))
    const client = new AbortController()
    const { authorise } = ledger
    ledger.authorise = async (request) => {
      client.abort()
      return authorise.call(ledger, request)
    }
    expect(await run({ signal: client.signal }).ended).toMatchObject({ code: 'cancelled' })
    expect(far.turns.length).toBe(0)
    expect(ledger.voided).toEqual(['hold-1'])
  })

  it('before the provider accepted: it is told, the hold is released, nobody is blamed', async () => {
    const { provider, run, ledger, directory } = await setting()
    const far = await provider(async (turn) => {
      await turn.aborted()
      throw new LexoraError('cancelled', '')
    })
    const second = await provider(says('never'))
    const client = new AbortController()
    const { ended } = run({ signal: client.signal })
    await expect.poll(() => far.turns.length).toBe(1)
    client.abort()
    expect(await ended).toMatchObject({ code: 'cancelled' })
    expect(far.turns[0]?.context.signal.aborted).toBe(true)
    expect(second.turns.length).toBe(0)
    expect(ledger.voided).toEqual(['hold-1'])
    expect(directory.candidates(MODEL).every(({ restUntilMs }) => restUntilMs === 0)).toBe(true)
  })

  it('mid-stream: the provider is told, and its receipt for what it sent is settled', async () => {
    const { provider, run, ledger, settlements, directory } = await setting()
    await provider(async (turn) => {
      turn.accept()
      turn.tokens('a')
      turn.tokens('b')
      await turn.aborted()
      return turn.end('cancelled')
    })
    const client = new AbortController()
    const { events, ended } = run({
      signal: client.signal,
      onEvent: ({ kind }) => void (kind === 'tokens' && client.abort()),
    })
    expect(await ended).toMatchObject({ code: 'cancelled' })
    expect(events.some(({ kind }) => kind === 'finished')).toBe(false)
    await settlements.idle()
    expect(ledger.settled.get('hold-1')).toMatchObject({
      signedByProvider: true,
      receipt: { finishReason: 'cancelled', usage: { completionTokens: 2 } },
    })
    expect(directory.candidates(MODEL)[0]?.restUntilMs).toBe(0)
  })

  it('mid-stream, and the provider does not stop: what came is attested after the grace', async () => {
    vi.useFakeTimers({
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
    })
    const { provider, run, ledger, directory } = await setting()
    await provider((turn) => {
      turn.accept()
      turn.tokens('a')
      return hangs()
    })
    const client = new AbortController()
    const { text, ended } = run({ signal: client.signal })
    await until(() => text() === 'a')
    client.abort()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await ended).toMatchObject({ code: 'cancelled' })
    await until(() => ledger.settled.size === 1)
    expect(ledger.settled.get('hold-1')?.receipt).toMatchObject({
      finishReason: 'failed',
      usage: { completionTokens: 1 },
    })
    expect(directory.candidates(MODEL)[0]?.restUntilMs).toBe(0)
  })

  it('at the end: nothing happens twice', async () => {
    const { provider, run, ledger, settlements } = await setting()
    await provider(says('a'))
    const client = new AbortController()
    const { ended } = run({
      signal: client.signal,
      onEvent: ({ kind }) => void (kind === 'finished' && client.abort()),
    })
    expect(await ended).toBeUndefined()
    await settlements.idle()
    expect(ledger.settleCalls).toBe(1)
    expect(ledger.voided).toEqual([])
  })
})

it('the blown-up receipt of these tests is one that readers accept', () => {
  const signer = newSigner()
  const sealed = sealReceipt(signer, {
    holdId: 'h',
    requestId: new Uint8Array(16),
    requestHash: new Uint8Array(32),
    model: MODEL,
    modelSha256: new Uint8Array(32),
    provider: signer.peerId,
    gateway: signer.peerId,
    tokenStart: 0,
    tokenEnd: 0,
    usage: { promptTokens: 0, cachedTokens: 0, completionTokens: 0 },
    finishReason: 'stop',
    queueMs: 0,
    prefillMs: 0,
    decodeMs: 0,
    priceVersion: 1,
    issuedAtMs: 1_800_000_000_000,
  })
  const blownUp = Buffer.concat([sealed, unknownField(8_000)])
  expect(openReceipt(blownUp).signedBy).toBe(signer.peerId)
})
