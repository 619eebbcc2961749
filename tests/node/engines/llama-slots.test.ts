import { fileURLToPath } from 'node:url'
import {
  getLlama,
  type Llama,
  type LlamaContext,
  LlamaLogLevel,
  type LlamaModel,
  type Token,
} from 'node-llama-cpp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { llamaSlots, type Slot, type Slots } from '../../../node/src/engines/llama-slots.ts'

const modelPath = fileURLToPath(
  new URL('../../../node/models/lexora-tiny-chat.gguf', import.meta.url),
)

describe('llamaSlots()', () => {
  let llama: Llama
  let model: LlamaModel
  const contexts: LlamaContext[] = []

  beforeAll(async () => {
    llama = await getLlama({ build: 'never', gpu: false, logLevel: LlamaLogLevel.disabled })
    model = await llama.loadModel({ modelPath })
  })

  // From the inside out, as the engine does it: a llama that is disposed of over its open contexts may wait for ever.
  afterAll(async () => {
    for (const context of contexts) await context.dispose()
    await model.dispose()
    await llama.dispose()
  })

  const tokens = (text: string): Token[] => model.tokenize(text)

  async function slots(count: number): Promise<Slots> {
    const context = await model.createContext({ sequences: count, contextSize: 256, threads: 1 })
    contexts.push(context)
    return llamaSlots(context, count)
  }

  function claim(from: Slots, text: string): Slot {
    const slot = from.claim(tokens(text))
    if (slot === undefined) throw new Error('no slot is free')
    return slot
  }

  /** Claims a slot, computes the text in it and gives it back. Returns how much was remembered. */
  async function use(
    from: Slots,
    text: string,
    state: 'whole' | 'broken' = 'whole',
  ): Promise<number> {
    const slot = claim(from, text)
    const sequence = await slot.prepare()
    expect(sequence.nextTokenIndex).toBe(slot.cachedTokens)
    await sequence.evaluateWithoutGeneratingNewTokens(tokens(text).slice(slot.cachedTokens))
    expect(sequence.contextTokens).toEqual(tokens(text))
    slot.free(state)
    return slot.cachedTokens
  }

  it('hands out each place once', async () => {
    const two = await slots(2)
    const first = claim(two, 'a')
    claim(two, 'b')
    expect(two.freeCount).toBe(0)
    expect(two.claim(tokens('c'))).toBeUndefined()
    first.free('whole')
    expect(two.freeCount).toBe(1)
    expect(two.claim(tokens('c'))).toBeDefined()
  })

  it('finds the place that remembers most, and keeps the last token to be computed', async () => {
    const two = await slots(2)
    const paris = 'The capital of France is Paris.'
    await use(two, paris)
    await use(two, 'Count from 1 to 20.')
    expect(await use(two, paris)).toBe(tokens(paris).length - 1)
    expect(await use(two, paris), 'though the other is unused for longer').toBe(
      tokens(paris).length - 1,
    )
    expect(await use(two, 'Count from 1 to 30.')).toBeGreaterThan(3)
    expect(await use(two, `${paris} And Spain?`)).toBe(tokens(paris).length)
  })

  it('takes the place unused for longest where none remembers anything', async () => {
    const two = await slots(2)
    await use(two, 'Paris')
    await use(two, 'London')
    await use(two, 'Paris')
    await use(two, 'Rome')
    // Rome went to where London was.
    expect(claim(two, 'Paris is').cachedTokens).toBeGreaterThan(0)
  })

  it('starts anew in a broken place', async () => {
    const one = await slots(1)
    await use(one, 'The capital of France is Paris.', 'broken')
    expect(await use(one, 'The capital of France is Paris.')).toBe(0)
    expect(await use(one, 'The capital of France is Paris.')).toBeGreaterThan(0)
  })
})
