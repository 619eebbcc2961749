import type { Sampling } from '@lexora/protocol'
import type { SequenceEvaluateOptions, Token } from 'node-llama-cpp'
import { seedAt } from './seed.ts'

/** How the token at one place of the answer is drawn. */
export interface DrawPlace {
  /** The request's seed, unsigned 32-bit. */
  seed: number
  /** How many tokens were drawn before. */
  index: number
  /** Those tokens, for the penalties. */
  drawn: readonly Token[]
}

/**
 * The options with which llama.cpp draws one token: penalties, nucleus, minimum probability, then temperature.
 * The penalties are OpenAI's: they look at the whole answer and not at the prompt.
 */
export function drawOptions(sampling: Sampling, place: DrawPlace): SequenceEvaluateOptions {
  const penalised = sampling.presencePenalty !== 0 || sampling.frequencyPenalty !== 0
  return {
    temperature: sampling.temperature,
    topP: sampling.topP,
    minP: sampling.minP,
    // Left out it means 40, and 0 sorts the whole vocabulary for every token; null leaves the sampler out.
    topK: null as unknown as number,
    seed: seedAt(place.seed, place.index),
    yieldEogToken: true,
    ...(penalised && {
      repeatPenalty: {
        punishTokens: [...place.drawn],
        maxPunishTokens: Math.max(1, place.drawn.length),
        penalty: 1,
        presencePenalty: sampling.presencePenalty,
        frequencyPenalty: sampling.frequencyPenalty,
      },
    }),
  }
}
