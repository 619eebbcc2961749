import { assert, type Sampling } from '@lexora/protocol'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import { drawOptions } from './llama-sampling.ts'
import type { Slot } from './llama-slots.ts'

/** What is to be read and how the rest is drawn. */
export interface DrawingOptions {
  prompt: readonly Token[]
  sampling: Sampling
  /** Unsigned 32-bit. */
  seed: number
}

/** Reads a prompt in parts and then draws token after token. */
export interface Drawing {
  /** Prompt tokens that are still to be read. */
  readonly promptLeft: number
  /**
   * One step: reads up to so many prompt tokens, and draws a token once all are read. Throws what the library throws;
   * the slot is broken then.
   */
  step(promptTokens: number): Promise<Token | undefined>
}

/** A drawing on the slot's sequence, beginning after what the slot remembers. */
export function drawing(slot: Slot, { prompt, sampling, seed }: DrawingOptions): Drawing {
  const drawn: Token[] = []
  let sequence: LlamaContextSequence | undefined
  let position = slot.cachedTokens

  /** A generator per token costs nothing measurable and lets each token have its own seed. */
  async function draw(from: LlamaContextSequence, input: Token[]): Promise<Token> {
    const place = { seed, index: drawn.length, drawn }
    const tokens = from.evaluate(input, drawOptions(sampling, place))
    try {
      const { value } = await tokens.next()
      assert(typeof value === 'number', 'the model draws a token')
      return value
    } finally {
      await tokens.return()
    }
  }

  return {
    get promptLeft() {
      return prompt.length - position
    },
    async step(promptTokens) {
      sequence ??= await slot.prepare()
      const unread = prompt.length - position
      if (promptTokens < unread) {
        const part = prompt.slice(position, position + promptTokens)
        await sequence.evaluateWithoutGeneratingNewTokens(part)
        position += part.length
        return undefined
      }
      const token = await draw(sequence, unread > 0 ? prompt.slice(position) : drawn.slice(-1))
      position = prompt.length
      drawn.push(token)
      return token
    },
  }
}
