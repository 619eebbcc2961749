import { type ChatMessage, type ChatRequest, promptTokensBound } from '@lexora/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chat } from './golden/samples.ts'

const withMessages = (messages: ChatMessage[]): ChatRequest => ({ ...chat, messages })
const utf8 = (text: string): number => new TextEncoder().encode(text).length

describe('promptTokensBound()', () => {
  const messages = fc.array(
    fc.record({
      role: fc.constant('user' as const),
      content: fc.string({ unit: 'binary' }),
      name: fc.string(),
    }),
    { minLength: 1, maxLength: 20 },
  )

  it('is above the bytes of every text, with room for the markers', () => {
    fc.assert(
      fc.property(messages, (conversation) => {
        const bytes = conversation.reduce(
          (sum, { content, name }) => sum + utf8(content) + utf8(name),
          0,
        )
        expect(promptTokensBound(withMessages(conversation))).toBe(
          bytes + 16 * conversation.length + 64,
        )
      }),
    )
  })

  it('grows with every message, empty ones too', () => {
    fc.assert(
      fc.property(messages, (conversation) => {
        const longer = withMessages([...conversation, { role: 'assistant', content: '' }])
        expect(promptTokensBound(longer)).toBeGreaterThan(
          promptTokensBound(withMessages(conversation)),
        )
      }),
    )
  })

  it('counts bytes, not characters', () => {
    const bound = (content: string): number =>
      promptTokensBound(withMessages([{ role: 'user', content }]))
    expect(bound('世界') - bound('')).toBe(6)
    expect(bound('👋') - bound('')).toBe(4)
  })
})
