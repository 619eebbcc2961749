import type { ChatMessage, ChatRequest } from '@lexora/protocol'
import { describe, expect, it } from 'vitest'
import type { Engine, EngineEvent } from '../../../node/src/engines/engine.ts'
import { createFakeEngine } from '../../../node/src/engines/fake-engine.ts'
import type {
  FakeEngineComponents,
  FakeEngineOptions,
} from '../../../node/src/engines/fake-settings.ts'
import { checkedChat, engineSuite, readChat } from '../../compliance/engine-suite.ts'

const user = (content: string): ChatMessage[] => [{ role: 'user', content }]

const CAPABILITIES = {
  longConversation: user('a long story please'),
  conversations: [user('one'), user('two words'), user('日本 and 🐌')] as [
    ChatMessage[],
    ChatMessage[],
    ChatMessage[],
  ],
  oneTokenWord: 'amber',
  controlTexts: [],
}

engineSuite(
  'fake',
  () => createFakeEngine({}, { slots: 3, contextTokens: 400, answerTokens: 120 }),
  CAPABILITIES,
)

engineSuite(
  'fake with delays',
  () =>
    createFakeEngine(
      {},
      {
        slots: 2,
        contextTokens: 400,
        answerTokens: 70,
        acceptDelayMs: 1,
        prefillDelayMs: 1,
        tokenDelayMs: 0.2,
      },
    ),
  CAPABILITIES,
)

const never = new AbortController().signal

const REQUEST: ChatRequest = {
  model: 'fake',
  messages: user('hello'),
  sampling: { temperature: 0, topP: 1, minP: 0, presencePenalty: 0, frequencyPenalty: 0 },
  maxTokens: 1_000,
  stop: [],
}

async function started(
  options: FakeEngineOptions,
  components: FakeEngineComponents = {},
): Promise<Engine> {
  const engine = createFakeEngine(components, options)
  await engine.start()
  return engine
}

describe('createFakeEngine()', () => {
  it('gives the same answer on every machine', async () => {
    const engine = await started({ answerTokens: 12 })
    const chat = await readChat(engine.chat(REQUEST, { signal: never }))
    expect(chat.ids).toMatchInlineSnapshot(`
      [
        24,
        52,
        56,
        19,
        46,
        66,
        67,
        68,
        69,
        35,
        43,
        46,
      ]
    `)
    expect(chat.text).toMatchInlineSnapshot(
      `"falcon pepper saddle coral needle 日本 jasmine mirror needle"`,
    )
  })

  it('fails after so many tokens', async () => {
    const engine = await started({ slots: 1, fault: () => ({ kind: 'fail', afterTokens: 4 }) })
    for (let round = 0; round < 2; round++) {
      const chat = await readChat(engine.chat(REQUEST, { signal: never }))
      expect(chat.finished.reason).toBe('failed')
      expect(chat.ids.length).toBeLessThanOrEqual(4)
      expect(chat.ids.length).toBeGreaterThan(0)
    }
  })

  it('hangs after so many tokens until it is aborted', async () => {
    const engine = await started({ slots: 1, fault: () => ({ kind: 'hang', afterTokens: 3 }) })
    const controller = new AbortController()
    const events: EngineEvent[] = []
    const stream = engine.chat(REQUEST, { signal: controller.signal })
    for (let taken = 0; taken < 4; taken++) events.push((await stream.next()).value as EngineEvent)
    const pending = stream.next()
    const outcome = await Promise.race([
      pending,
      new Promise((resolve) => setImmediate(resolve, 'hangs')),
    ])
    expect(outcome).toBe('hangs')
    controller.abort()
    events.push((await pending).value as EngineEvent)
    expect(checkedChat(events).finished.reason).toBe('cancelled')
  })

  it('gives a hanging slot back on return()', async () => {
    let hanging = true
    const engine = await started({
      slots: 1,
      fault: () => (hanging ? { kind: 'hang', afterTokens: 0 } : undefined),
    })
    const stream = engine.chat(REQUEST, { signal: never })
    await stream.next()
    const pending = stream.next()
    await stream.return?.()
    expect((await pending).value).toMatchObject({ kind: 'finished', reason: 'cancelled' })
    hanging = false
    expect((await readChat(engine.chat(REQUEST, { signal: never }))).finished.reason).toBe('stop')
  })

  it('never accepts until it is aborted', async () => {
    const engine = await started({ slots: 1, fault: () => ({ kind: 'never-accept' }) })
    const controller = new AbortController()
    const pending = engine.chat(REQUEST, { signal: controller.signal }).next()
    controller.abort()
    await expect(pending).rejects.toMatchObject({ code: 'cancelled' })
  })

  it('is busy on request, for that request only', async () => {
    const engine = await started({
      slots: 1,
      fault: ({ messages }) => (messages[0]?.content === 'busy' ? { kind: 'busy' } : undefined),
    })
    const refused = engine.chat({ ...REQUEST, messages: user('busy') }, { signal: never })
    await expect(refused.next()).rejects.toMatchObject({ code: 'provider_busy' })
    expect((await readChat(engine.chat(REQUEST, { signal: never }))).finished.reason).toBe('stop')
  })

  it('waits by the sleep it was given', async () => {
    const waits: number[] = []
    let clock = 0
    const engine = await started(
      { answerTokens: 2, acceptDelayMs: 5, prefillDelayMs: 70, tokenDelayMs: 11 },
      {
        now: () => clock,
        async sleep(ms) {
          waits.push(ms)
          clock += ms
        },
      },
    )
    const chat = await readChat(engine.chat(REQUEST, { signal: never }))
    // The last wait is for the token that ends the answer.
    expect(waits).toEqual([5, 70, 11, 11, 11])
    expect(chat.finished.timings).toEqual({ queueMs: 5, prefillMs: 81, decodeMs: 22 })
  })

  it('gives the slot back when the sleep breaks', async () => {
    let broken = true
    const engine = await started(
      { slots: 1, acceptDelayMs: 1 },
      {
        async sleep() {
          if (broken) throw new Error('no clock')
        },
      },
    )
    await expect(engine.chat(REQUEST, { signal: never }).next()).rejects.toThrow('no clock')
    broken = false
    expect((await readChat(engine.chat(REQUEST, { signal: never }))).finished.reason).toBe('stop')
  })
})
