import { type ChatMessage, type ChatRequest, LexoraError, type Sampling } from '@lexora/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  Engine,
  EngineEvent,
  EngineModel,
  EngineStream,
  FinishedEvent,
} from '../../node/src/engines/engine.ts'

/** What the suite must know of an engine's model to ask it something useful. */
export interface EngineCapabilities {
  /** Answers at temperature 0 with 60 tokens or more, and ends by itself within the context. */
  longConversation: ChatMessage[]
  /** Three conversations with answers that end by themselves. */
  conversations: [ChatMessage[], ChatMessage[], ChatMessage[]]
  /** A word that costs exactly one more token each time it is appended with a space. */
  oneTokenWord: string
  /** Texts of the model's control tokens, which must never be seen. */
  controlTexts: string[]
}

/** Promised by the interface. */
const CANCEL_MS_MAX = 100

/**
 * Aborts measured for one verdict. Their median counts, so that a stall of the whole machine during one or two of
 * them is not blamed on the engine.
 */
const CANCEL_SAMPLES = 5

const GREEDY: Sampling = {
  temperature: 0,
  topP: 1,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
}

/** A whole chat, checked against the rules on order and counting. */
export interface Chat {
  events: EngineEvent[]
  text: string
  ids: number[]
  promptTokens: number
  cachedTokens: number
  finished: FinishedEvent
}

const never = new AbortController().signal

/** Puts the events of a finished chat together; fails where they break a rule that always holds. */
export function checkedChat(events: EngineEvent[]): Chat {
  const [accepted] = events
  const finished = events.at(-1)
  if (accepted?.kind !== 'accepted') throw new Error('the first event is not accepted')
  if (finished?.kind !== 'finished') throw new Error('the last event is not finished')
  const middle = events.slice(1, -1)
  const pieces = middle.filter((event) => event.kind === 'tokens')
  expect(pieces.length, 'only tokens between accepted and finished').toBe(middle.length)
  const ids = pieces.flatMap((piece) => piece.ids)
  for (const piece of pieces) expect(piece.ids.length).toBeGreaterThan(0)
  const { promptTokens, cachedTokens } = accepted
  expect(finished.usage).toEqual({ promptTokens, cachedTokens, completionTokens: ids.length })
  expect(promptTokens).toBeGreaterThan(0)
  expect(cachedTokens).toBeGreaterThanOrEqual(0)
  expect(cachedTokens).toBeLessThan(promptTokens)
  for (const ms of Object.values(finished.timings)) {
    expect(ms).toBeGreaterThanOrEqual(0)
    expect(Number.isFinite(ms)).toBe(true)
  }
  return {
    events,
    text: pieces.map((piece) => piece.text).join(''),
    ids,
    promptTokens,
    cachedTokens,
    finished,
  }
}

/** Reads a stream to its end. */
export async function readChat(stream: EngineStream): Promise<Chat> {
  const events: EngineEvent[] = []
  for await (const event of stream) events.push(event)
  return checkedChat(events)
}

/** The code of what a promise rejects with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return error instanceof LexoraError ? error.code : `not a LexoraError: ${String(error)}`
  }
  return 'nothing was thrown'
}

/** The suite that every engine passes. `factory` makes an engine that is not started, with two slots or more. */
export function engineSuite(
  name: string,
  factory: () => Engine | Promise<Engine>,
  capabilities: EngineCapabilities,
): void {
  describe(`${name} keeps the rules of an engine`, () => {
    let engine: Engine
    let model: EngineModel
    const { longConversation, conversations } = capabilities

    beforeAll(async () => {
      engine = await factory()
      await engine.start()
      const [first] = engine.models()
      if (first === undefined) throw new Error('the engine offers no model')
      model = first
    })

    afterAll(async () => await engine.stop())

    function request(messages: ChatMessage[], change: Partial<ChatRequest> = {}): ChatRequest {
      return { model: model.id, messages, sampling: GREEDY, maxTokens: 10_000, stop: [], ...change }
    }

    async function ask(messages: ChatMessage[], change: Partial<ChatRequest> = {}): Promise<Chat> {
      return await readChat(engine.chat(request(messages, change), { signal: never }))
    }

    /** Opens a chat and takes its first event, so that it holds a slot. */
    async function open(messages = longConversation, signal = never): Promise<EngineStream> {
      const stream = engine.chat(request(messages), { signal })
      const { value } = await stream.next()
      expect(value?.kind).toBe('accepted')
      return stream
    }

    /** Takes all slots and gives them back. Throws `provider_busy` when one is not free. */
    async function takeAllSlots(): Promise<void> {
      const opened = await Promise.allSettled(
        Array.from({ length: model.slots }, async () => await open()),
      )
      const full = await codeOf(open())
      for (const result of opened) if (result.status === 'fulfilled') await result.value.return?.()
      for (const result of opened) if (result.status === 'rejected') throw result.reason
      expect(full).toBe('provider_busy')
    }

    /** For ends of which the rules allow one more step of the model: waits for that as long as the test may take. */
    async function untilAllSlotsFree(): Promise<void> {
      while ((await codeOf(takeAllSlots())) === 'provider_busy') {
        await new Promise((resolve) => setImmediate(resolve))
      }
      await takeAllSlots()
    }

    function filler(words: number): ChatMessage[] {
      return [{ role: 'user', content: Array(words).fill(capabilities.oneTokenWord).join(' ') }]
    }

    /** A conversation of exactly so many tokens. */
    async function conversationOf(tokens: number): Promise<ChatMessage[]> {
      const { promptTokens } = await ask(filler(10), { maxTokens: 1 })
      return filler(10 + tokens - promptTokens)
    }

    describe('models()', () => {
      it('describes what is served', () => {
        expect(engine.models()).toHaveLength(1)
        expect(model.fileSha256).toMatch(/^[0-9a-f]{64}$/)
        expect(model.modality).toBe('text')
        expect(model.slots).toBeGreaterThanOrEqual(2)
        expect(model.contextTokens).toBeGreaterThan(0)
        expect(model.prefillTokensPerSecond).toBeGreaterThan(0)
        expect(model.decodeTokensPerSecond).toBeGreaterThan(0)
        expect(model.family).not.toBe('')
        expect(model.quantisation).not.toBe('')
      })
    })

    describe('an answer', () => {
      it('ends by itself with the reason stop', async () => {
        for (const conversation of [longConversation, ...conversations]) {
          const chat = await ask(conversation)
          expect(chat.finished.reason).toBe('stop')
          expect(chat.ids.length).toBeGreaterThan(0)
        }
        expect((await ask(longConversation)).ids.length).toBeGreaterThanOrEqual(60)
      })

      it('shows no control token and no half character', async () => {
        for (const conversation of [longConversation, ...conversations]) {
          const { text } = await ask(conversation)
          for (const control of capabilities.controlTexts) expect(text).not.toContain(control)
          expect(text).not.toContain('\uFFFD')
        }
      })

      it('ends at maxTokens with the reason length', async () => {
        const whole = await ask(longConversation)
        for (const maxTokens of [1, 2, 7, 30]) {
          const chat = await ask(longConversation, { maxTokens })
          expect(chat.finished.reason, `maxTokens ${maxTokens}`).toBe('length')
          expect(chat.ids).toEqual(whole.ids.slice(0, maxTokens))
          expect(whole.text.startsWith(chat.text.replace(/\uFFFD$/, ''))).toBe(true)
        }
      })

      it('is the same at temperature 0 every time', async () => {
        const [first, second] = [await ask(longConversation), await ask(longConversation)]
        expect(second.ids).toEqual(first.ids)
        expect(second.text).toBe(first.text)
      })

      it('follows the seed', async () => {
        const drawn = async (seed: number): Promise<string> =>
          (await ask(longConversation, { sampling: { ...GREEDY, temperature: 1, seed } })).text
        const texts = new Set<string>()
        for (const seed of [0, 1, 7, 0xffff_fffe, 0xffff_ffff]) {
          const text = await drawn(seed)
          expect(await drawn(seed), `seed ${seed}`).toBe(text)
          texts.add(text)
        }
        expect(texts.size).toBeGreaterThan(1)
      })

      it('varies without a seed', async () => {
        const texts = new Set<string>()
        for (let round = 0; round < 5; round++) {
          texts.add(
            (await ask(longConversation, { sampling: { ...GREEDY, temperature: 1.2 } })).text,
          )
        }
        expect(texts.size).toBeGreaterThan(1)
      })
    })

    describe('stop texts', () => {
      it('are cut from the answer wherever they fall', async () => {
        const whole = await ask(longConversation)
        const length = whole.text.length
        const stops = [1, 5, 11, 17, 23, 31].map((at) => whole.text.slice(at, at + 4))
        stops.push(whole.text.slice(0, 3), whole.text.slice(length - 5), whole.text.slice(20, 60))
        for (const stop of stops) {
          const chat = await ask(longConversation, { stop: ['never seen', stop] })
          const expected = whole.text.slice(0, whole.text.indexOf(stop))
          expect(chat.text, `stop ${JSON.stringify(stop)}`).toBe(expected)
          expect(chat.finished.reason).toBe('stop')
          expect(whole.ids.slice(0, chat.ids.length)).toEqual(chat.ids)
        }
      })

      it('are never handed out in part', async () => {
        const whole = await ask(longConversation)
        const stop = whole.text.slice(25, 45)
        const cut = whole.text.indexOf(stop)
        const chat = await ask(longConversation, { stop: [stop] })
        let seen = ''
        for (const event of chat.events) {
          if (event.kind === 'tokens') seen += event.text
          expect(seen.length).toBeLessThanOrEqual(cut)
        }
      })

      it('leave an answer whole that only begins like them', async () => {
        const whole = await ask(longConversation)
        const almost = `${whole.text.slice(30, 40)}\u0000`
        const atTheEnd = `${whole.text.slice(-6)}\u0000`
        const chat = await ask(longConversation, { stop: [almost, atTheEnd] })
        expect(chat.text).toBe(whole.text)
        expect(chat.ids).toEqual(whole.ids)
      })
    })

    describe('refusals', () => {
      it('name an unknown model', async () => {
        const stream = engine.chat(request(longConversation, { model: 'nobody' }), {
          signal: never,
        })
        expect(await codeOf(stream.next())).toBe('model_not_found')
      })

      it('take a prompt that leaves room for one token and no longer one', async () => {
        const fitting = await conversationOf(model.contextTokens - 1)
        const chat = await ask(fitting)
        expect(chat.promptTokens).toBe(model.contextTokens - 1)
        expect(chat.ids.length).toBeLessThanOrEqual(1)

        const stream = engine.chat(request(await conversationOf(model.contextTokens)), {
          signal: never,
        })
        await expect(stream.next()).rejects.toMatchObject({
          code: 'context_length_exceeded',
          facts: { promptTokens: model.contextTokens, contextTokens: model.contextTokens },
        })
        await takeAllSlots()
      })

      it('end with the reason length where the context is full', async () => {
        const reasons: string[] = []
        for (const room of [1, 2, 3, 5]) {
          const chat = await ask(await conversationOf(model.contextTokens - room))
          reasons.push(chat.finished.reason)
          if (chat.finished.reason === 'length') expect(chat.ids).toHaveLength(room)
          else expect(chat.ids.length).toBeLessThanOrEqual(room)
        }
        expect(reasons).toContain('length')
      })

      it('come as provider_busy beyond the slots', async () => {
        const streams = await Promise.all(
          Array.from({ length: model.slots }, async () => await open()),
        )
        expect(await codeOf(open())).toBe('provider_busy')
        for (const stream of streams) {
          const rest: EngineEvent[] = []
          for await (const event of stream) rest.push(event)
          expect(rest.at(-1)?.kind).toBe('finished')
        }
        await takeAllSlots()
      })

      it('are exact when all ask at once', async () => {
        const asked = model.slots + 3
        const results = await Promise.allSettled(
          Array.from({ length: asked }, async () => await ask(longConversation)),
        )
        const answered = results.filter(({ status }) => status === 'fulfilled')
        const codes = results.flatMap((result) =>
          result.status === 'rejected' ? [(result.reason as LexoraError).code] : [],
        )
        expect(answered).toHaveLength(model.slots)
        expect(codes).toEqual(Array(3).fill('provider_busy'))
        await takeAllSlots()
      })
    })

    describe('an abort', () => {
      async function abortAfter(pieces: number): Promise<{ ms: number; chat: Chat }> {
        const controller = new AbortController()
        const events: EngineEvent[] = []
        let abortedAt = 0
        const stream = engine.chat(request(longConversation), { signal: controller.signal })
        for await (const event of stream) {
          events.push(event)
          if (events.length - 1 === pieces && abortedAt === 0) {
            abortedAt = performance.now()
            controller.abort()
          }
        }
        return { ms: performance.now() - abortedAt, chat: checkedChat(events) }
      }

      it('ends the answer within 100 ms with what was handed out', async () => {
        const times: number[] = []
        for (let sample = 0; sample < CANCEL_SAMPLES; sample++) {
          const { ms, chat } = await abortAfter(5)
          expect(chat.finished.reason).toBe('cancelled')
          expect(chat.events.filter(({ kind }) => kind === 'tokens')).toHaveLength(5)
          times.push(ms)
        }
        times.sort((a, b) => a - b)
        expect(times[Math.floor(CANCEL_SAMPLES / 2)]).toBeLessThanOrEqual(CANCEL_MS_MAX)
        await untilAllSlotsFree()
      })

      it('right after accepted hands out nothing', async () => {
        const { chat } = await abortAfter(0)
        expect(chat.finished.reason).toBe('cancelled')
        expect(chat.ids).toEqual([])
        await untilAllSlotsFree()
      })

      it('ends a next() that is pending', async () => {
        const controller = new AbortController()
        const stream = await open(longConversation, controller.signal)
        const pending = stream.next()
        controller.abort()
        const events = [(await pending).value]
        for await (const event of stream) events.push(event)
        expect(events.at(-1)).toMatchObject({ kind: 'finished', reason: 'cancelled' })
        await untilAllSlotsFree()
      })

      it('before the start is the error cancelled', async () => {
        const stream = engine.chat(request(longConversation), { signal: AbortSignal.abort() })
        expect(await codeOf(stream.next())).toBe('cancelled')
        await untilAllSlotsFree()
      })
    })

    describe('a reader that goes away', () => {
      it('gives the slot back by leaving the loop', async () => {
        for (let round = 0; round < model.slots * 2; round++) {
          for await (const event of engine.chat(request(longConversation), { signal: never })) {
            if (event.kind === 'tokens') break
          }
        }
        await untilAllSlotsFree()
      })

      it('gives the slot back by throwing', async () => {
        for (let round = 0; round < model.slots * 2; round++) {
          const broken = async (): Promise<void> => {
            for await (const event of engine.chat(request(longConversation), { signal: never })) {
              if (event.kind === 'tokens') throw new Error('the reader broke')
            }
          }
          await expect(broken()).rejects.toThrow('the reader broke')
        }
        await untilAllSlotsFree()
      })

      it('gives the slot back by return() while a next() is pending', async () => {
        const stream = await open()
        const pending = stream.next()
        await stream.return?.()
        await pending
        await untilAllSlotsFree()
      })

      it('gives the slot back when it had fallen behind', async () => {
        const slow = await open()
        // By now the slow one is ahead of its reader as far as it may be.
        await ask(longConversation)
        await slow.return?.()
        await untilAllSlotsFree()
      })

      it('holds no slot before it reads', async () => {
        const unread = Array.from({ length: model.slots + 1 }, () =>
          engine.chat(request(longConversation), { signal: never }),
        )
        await untilAllSlotsFree()
        for (const stream of unread) await stream.return?.()
      })

      it('does not hold up the others by reading slowly', async () => {
        const whole = await ask(longConversation)
        const slow = await open()
        for (let round = 0; round < 3; round++)
          expect((await ask(longConversation)).text).toBe(whole.text)
        let text = ''
        for await (const event of slow) if (event.kind === 'tokens') text += event.text
        expect(text).toBe(whole.text)
      })
    })

    describe('several chats', () => {
      it('get the same answers together as alone', async () => {
        const asked = [longConversation, ...conversations].slice(0, model.slots)
        const alone: string[] = []
        for (const conversation of asked) alone.push((await ask(conversation)).text)
        for (let round = 0; round < 3; round++) {
          const together = await Promise.all(
            asked.map(async (conversation) => await ask(conversation)),
          )
          expect(together.map(({ text }) => text)).toEqual(alone)
        }
      })
    })

    describe('a conversation', () => {
      it('is continued from what the slot remembers, with the answer of a fresh engine', async () => {
        const fresh = await factory()
        await fresh.start()
        try {
          for (const [index, first] of conversations.entries()) {
            const answered = await ask(first)
            const next = conversations[(index + 1) % conversations.length] ?? first
            const messages: ChatMessage[] = [
              ...first,
              { role: 'assistant', content: answered.text },
              ...next,
            ]
            const warm = await ask(messages)
            expect(warm.cachedTokens).toBeGreaterThan(0)
            const cold = await readChat(fresh.chat(request(messages), { signal: never }))
            expect(warm.promptTokens).toBe(cold.promptTokens)
            expect(warm.text).toBe(cold.text)
          }
        } finally {
          await fresh.stop()
        }
      })
    })

    describe('stop()', () => {
      it('ends running chats as failed, refuses new ones and may be called twice', async () => {
        const other = await factory()
        await other.start()
        const streams = Array.from({ length: model.slots }, () =>
          other.chat(request(longConversation), { signal: never }),
        )
        const read: EngineEvent[][] = streams.map(() => [])
        for (const [index, stream] of streams.entries()) {
          for (let count = 0; count < 3; count++)
            read[index]?.push((await stream.next()).value as EngineEvent)
        }
        const stopped = other.stop()
        for (const [index, stream] of streams.entries()) {
          for await (const event of stream) read[index]?.push(event)
        }
        await stopped
        for (const events of read) expect(checkedChat(events).finished.reason).toBe('failed')
        const late = other.chat(request(longConversation), { signal: never })
        expect(await codeOf(late.next())).toBe('provider_draining')
        expect(other.models()).toEqual([])
        await other.stop()
      })
    })
  })
}
