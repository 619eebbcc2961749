import { type ChatRequest, LexoraError } from '@lexora/protocol'
import { END_ID, type FakeLanguage, hashOf } from './fake-language.ts'
import type { FakeFault, FakeSettings } from './fake-settings.ts'
import type { FakeSlot, FakeSlots } from './fake-slots.ts'
import { SEED_COUNT, seedAt } from './seed.ts'

const ANSWER_TOKENS_MIN = 8
const ANSWER_TOKENS_SPREAD = 64

/** What the admission uses. */
export interface FakeAdmissionComponents {
  language: FakeLanguage
  slots: FakeSlots
}

/** A request that has its slot, with the whole answer already known. */
export interface FakeAdmitted {
  slot: FakeSlot
  prompt: number[]
  /** The answer's ids and the end. */
  ids: number[]
  fault: FakeFault | undefined
}

/** A function of the conversation and, above temperature 0, of the seed. */
function writeAnswer(
  language: FakeLanguage,
  prompt: readonly number[],
  request: ChatRequest,
  settings: FakeSettings,
): number[] {
  const { temperature, seed } = request.sampling
  const drawnSeed = seed ?? Math.floor(settings.random() * SEED_COUNT)
  const root = temperature === 0 ? hashOf(prompt) : hashOf([...prompt, drawnSeed])
  const length = settings.answerTokens ?? ANSWER_TOKENS_MIN + (root % ANSWER_TOKENS_SPREAD)
  const ids: number[] = []
  for (let index = 0; ids.length < length; index++) {
    const word = language.word(seedAt(root, index))
    ids.push(...(word.length <= length - ids.length ? word : language.word(0)))
  }
  return [...ids, END_ID]
}

/** The checks of every engine and the claim of a slot, in one go. */
export function admitFake(
  { language, slots }: FakeAdmissionComponents,
  request: ChatRequest,
  settings: FakeSettings,
): FakeAdmitted {
  if (request.model !== settings.modelId) {
    throw new LexoraError('model_not_found', 'This provider does not serve the model.')
  }
  const prompt = language.encode(request.messages)
  const { contextTokens } = settings
  if (prompt.length + 1 > contextTokens) {
    throw new LexoraError('context_length_exceeded', 'The conversation does not fit the model.', {
      facts: { promptTokens: prompt.length, contextTokens },
    })
  }
  const fault = settings.fault(request)
  const slot = fault?.kind === 'busy' ? undefined : slots.claim(prompt)
  if (slot === undefined) {
    throw new LexoraError('provider_busy', 'All slots of this model are taken.')
  }
  return { slot, prompt, ids: writeAnswer(language, prompt, request, settings), fault }
}
